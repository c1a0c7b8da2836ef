// Says in words why a passkey could not be used; the ceremony itself is allauth's.
"use strict";

const WORDS = {
  NotAllowedError: "Nothing was signed: it was cancelled, it took too long, or no passkey of this site was found.",
  SecurityError: "A passkey belongs to a name. Open this server by its name, not by its address.",
  InvalidStateError: "This passkey is registered already.",
  NotSupportedError: "This browser or key cannot do what is needed.",
};

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const place = document.querySelector("[data-passkey-fault]");
  if (!place) return;
  const fault = event.detail.exception;
  place.textContent = WORDS[fault.name] || "This browser cannot use passkeys here: " + fault.message;
  place.hidden = false;
});
