"use strict";
// The page works without this: the address stands in a field from which it can be copied by hand.
(function () {
  const field = document.getElementById("address");
  const button = document.getElementById("copy");
  const state = document.getElementById("state");
  if (!field || !button || !state) return;
  field.addEventListener("focus", function () { field.select(); });
  button.hidden = false;
  button.addEventListener("click", function () {
    field.focus();
    field.select();
    const copied = function () { state.textContent = "The address was copied."; };
    const failed = function () {
      state.textContent = "Your browser did not allow it: the address is selected, press Ctrl+C (or Command+C).";
    };
    if (navigator.clipboard && navigator.clipboard.writeText) {
      navigator.clipboard.writeText(field.value).then(copied, failed);
    } else if (document.execCommand("copy")) {
      copied();
    } else {
      failed();
    }
  });
})();
