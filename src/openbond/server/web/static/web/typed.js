// Nothing typed is lost when a session ends in mid-edit: what stands in a form is kept by this tab, and
// put back when the form is opened again after sign-in. Passwords and files are not kept. What tells of which
// state of the object the form is (data-kept) is kept too, so that a change of somebody else meanwhile is noticed.
"use strict";

(() => {
  const BACK = "typed:back"; // the page to fill again
  const here = location.pathname;
  const NOT_KEPT = "input[type=password], input[type=hidden]:not([data-kept]), input[type=file], [readonly], [data-not-kept]";

  const forms = () => [...document.querySelectorAll("main form")].filter((form) => form.method === "post");
  const nameOf = (path, number) => `typed:${path}:${number}`;

  function fieldsOf(form) {
    return [...form.elements].filter((field) => field.name && !field.matches(NOT_KEPT) && field.type !== "submit");
  }

  function valueOf(field) {
    if (field.type === "checkbox" || field.type === "radio") return field.checked;
    if (field.multiple) return [...field.selectedOptions].map((option) => option.value);
    return field.value;
  }

  function put(field, value) {
    if (field.type === "checkbox" || field.type === "radio") field.checked = value === true;
    else if (field.multiple) for (const option of field.options) option.selected = value.includes(option.value);
    else field.value = value;
  }

  function keep(form) {
    const number = forms().indexOf(form);
    if (number < 0) return;
    const values = fieldsOf(form).map((field) => [field.name, valueOf(field)]);
    sessionStorage.setItem(nameOf(here, number), JSON.stringify(values));
  }

  function putBack(form, number) {
    const kept = sessionStorage.getItem(nameOf(here, number));
    if (!kept) return false;
    const values = JSON.parse(kept);
    fieldsOf(form).forEach((field, place) => {
      if (values[place] && values[place][0] === field.name) put(field, values[place][1]);
    });
    return true;
  }

  function forget(path) {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith("typed:") && (!path || key.startsWith(`typed:${path}:`))) sessionStorage.removeItem(key);
    }
  }

  const signIn = document.querySelector("[data-signs-in]");
  if (signIn) {
    const next = new URLSearchParams(location.search).get("next");
    if (next) sessionStorage.setItem(BACK, next.split("?")[0]);
    else if (!sessionStorage.getItem(BACK)) forget("");
    return;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-opens-form-again]")) sessionStorage.setItem(BACK, here);
  });
  if (document.querySelector("[data-opens-form-again]")) return;

  if (sessionStorage.getItem(BACK) === here) {
    sessionStorage.removeItem(BACK);
    const filled = forms().map(putBack).some(Boolean);
    const notice = document.querySelector("[data-typed-notice]");
    if (filled && notice) notice.hidden = false;
  } else {
    forget(here);
  }
  document.addEventListener("input", (event) => event.target.form && keep(event.target.form));
  document.addEventListener("change", (event) => event.target.form && keep(event.target.form));
})();
