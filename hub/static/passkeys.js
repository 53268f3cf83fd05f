/* Passkeys: asks the browser to make one or to sign with one, and sends its answer as an ordinary form.
   Floor: Chromium 88, so what newer browsers convert by themselves is converted here. */
(function () {
  'use strict';

  function bytes(text) {
    var plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    var found = new Uint8Array(plain.length);
    for (var i = 0; i < plain.length; i += 1) found[i] = plain.charCodeAt(i);
    return found;
  }
  function text(buffer) {
    var plain = '';
    new Uint8Array(buffer).forEach(function (one) { plain += String.fromCharCode(one); });
    return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }
  function wished(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    ['excludeCredentials', 'allowCredentials'].forEach(function (name) {
      (options[name] || []).forEach(function (one) { one.id = bytes(one.id); });
    });
    return { publicKey: options };
  }
  function answered(made) {
    var response = { clientDataJSON: text(made.response.clientDataJSON) };
    ['attestationObject', 'authenticatorData', 'signature', 'userHandle'].forEach(function (name) {
      if (made.response[name]) response[name] = text(made.response[name]);
    });
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response: response });
  }

  function ready(form) {
    var failed = form.querySelector('[data-passkey-failed]');
    var button = form.querySelector('button');
    form.hidden = false;
    form.addEventListener('submit', function (event) {
      event.preventDefault();
      failed.hidden = true;
      button.disabled = true;
      fetch(form.dataset.options, { credentials: 'same-origin', headers: { 'X-Requested-With': 'fetch' } })
        .then(function (answer) {
          if (!answer.ok) throw new Error(String(answer.status));
          return answer.json();
        })
        .then(function (options) { return navigator.credentials[form.dataset.passkey](wished(options)); })
        .then(function (made) {
          var duty = document.querySelector('input[type=checkbox][name=duty]');
          form.elements.credential.value = answered(made);
          if (form.elements.duty) form.elements.duty.value = duty && duty.checked ? '1' : '';
          form.submit();
        })
        .catch(function () { failed.hidden = false; button.disabled = false; });
    });
  }

  if (window.isSecureContext && window.PublicKeyCredential && navigator.credentials) {
    Array.prototype.forEach.call(document.querySelectorAll('[data-passkey]'), ready);
    Array.prototype.forEach.call(document.querySelectorAll('[data-passkey-none]'), function (one) { one.hidden = true; });
  }
}());
