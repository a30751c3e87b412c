"use strict";
// The page works without this: the address stands in a field from which it can be copied by hand.
(function () {
  const field = document.getElementById("address");
  const button = document.getElementById("copy");
  const state = document.getElementById("state");
  if (!field || !button || !state) return;

  function say(text) {
    state.textContent = "";
    // A new text even where it is the same one, so that a screen reader says it again.
    window.setTimeout(function () { state.textContent = text; }, 50);
  }
  function copied() {
    say("Copied. Now paste it into the address bar of your browser.");
  }
  // Where the page came without TLS, or the browser refuses the clipboard to pages.
  function byHand() {
    field.focus();
    field.select();
    if (document.execCommand("copy")) copied();
    else say("Your browser did not allow that. The address is selected: press Ctrl+C, or Command+C on a Mac.");
  }

  field.addEventListener("focus", function () { field.select(); });
  button.addEventListener("click", function () {
    if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(copied, byHand);
    else byHand();
  });
  button.hidden = false;
})();
