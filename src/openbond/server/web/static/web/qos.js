// Adds up the shares while they are typed; moving rows is the server's, and comes back to where one was.
"use strict";

(() => {
  const total = document.querySelector("[data-total]");
  if (!total) return;
  const AT = "qos:scrolled";
  document.addEventListener("input", () => {
    const shares = [...document.querySelectorAll("[data-share]")].map((input) => Number(input.value) || 0);
    const sum = shares.reduce((one, other) => one + other, 0);
    total.value = sum;
    total.classList.toggle("bond-error", sum > 100);
  });
  document.getElementById("qos").addEventListener("submit", (event) => {
    if (event.submitter?.name === "do") sessionStorage.setItem(AT, String(scrollY));
  });
  const at = sessionStorage.getItem(AT);
  sessionStorage.removeItem(AT);
  if (at) scrollTo(0, Number(at));
})();
