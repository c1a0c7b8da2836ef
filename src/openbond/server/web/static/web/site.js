// What every page does: dialogues that ask first, menus that close, colours that are kept.
"use strict";

document.addEventListener("click", (event) => {
  const target = event.target;
  const opener = target.closest("[data-opens]");
  if (opener) opener.parentElement.querySelector("dialog").showModal();
  if (target.closest("[data-closes-dialog]")) target.closest("dialog").close();
  if (target instanceof HTMLDialogElement) target.close(); // the backdrop
  for (const menu of document.querySelectorAll("details[data-closes][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  const toggler = target.closest("[data-menu]");
  if (toggler) {
    event.preventDefault();
    const isOpen = document.getElementById("menu").classList.toggle("is-open");
    toggler.setAttribute("aria-expanded", String(isOpen));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-closes][open]")) menu.open = false;
});

// The switch of colours works without a script too; with one, nothing is loaded anew.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const chosen = event.submitter.value;
  const root = document.documentElement;
  if (chosen) root.dataset.bsTheme = chosen;
  else delete root.dataset.bsTheme;
  document.querySelector('meta[name="color-scheme"]').content = chosen || "light dark";
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  const age = chosen ? 31536000 : 0;
  document.cookie = `theme=${chosen}; path=/; max-age=${age}; secure; samesite=lax`;
  document.dispatchEvent(new CustomEvent("themechange"));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  navigator.clipboard.writeText(source.value ?? source.textContent.trim()).then(() => {
    button.textContent = "Copied";
  });
});
