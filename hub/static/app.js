/* Cunxiang: what the pages do better with JS. Every page works without it. Floor: Chromium 88, so no ?. and no ??=. */
(function () {
  'use strict';

  var root = document.documentElement;
  root.classList.add('js');

  function all(selector, within) {
    return Array.prototype.slice.call((within || document).querySelectorAll(selector));
  }
  function one(selector, within) {
    return (within || document).querySelector(selector);
  }
  function on(type, selector, handler) {
    document.addEventListener(type, function (event) {
      var target = event.target && event.target.closest ? event.target.closest(selector) : null;
      if (target) handler(target, event);
    });
  }

  var words = JSON.parse((one('#words') || { textContent: '{}' }).textContent);
  function say(key, values) {
    return (words[key] || '').replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function token() {
    var meta = one('meta[name="csrf-token"]');
    return meta ? meta.content : '';
  }
  function post(url, body, signal) {
    return fetch(url, {
      method: 'POST', body: body, signal: signal, credentials: 'same-origin',
      headers: { 'X-CSRFToken': token(), 'X-Requested-With': 'fetch' }
    });
  }

  /* ---- region tree: a box shows ticked, empty or part-ticked; ticking one ticks all under it ---- */

  function childBoxes(item) {
    return all('input[type=checkbox]', item).slice(1);
  }
  function showUpwards(item, tree) {
    var parent = item.parentElement.closest('li');
    if (!parent || !tree.contains(parent)) return;
    showFromChildren(parent);
    showUpwards(parent, tree);
  }
  function showFromChildren(item) {
    var direct = all('details > ul > li', item).filter(function (li) {
      return li.parentElement.closest('li') === item;
    }).map(function (li) { return one('input', li); });
    if (!direct.length) return;
    var box = one('input', item);
    box.checked = direct.every(function (child) { return child.checked; });
    box.indeterminate = !box.checked && direct.some(function (child) {
      return child.checked || child.indeterminate;
    });
  }
  function startTree(tree) {
    all('input[type=checkbox]:checked', tree).forEach(function (box) {
      childBoxes(box.closest('li')).forEach(function (child) { child.checked = true; });
    });
    all('li', tree).reverse().forEach(showFromChildren);
  }
  on('change', '[data-tree] input[type=checkbox]', function (box) {
    var item = box.closest('li');
    childBoxes(item).forEach(function (child) {
      child.checked = box.checked;
      child.indeterminate = false;
    });
    showUpwards(item, box.closest('[data-tree]'));
  });

  function fits(item, wanted) {
    var name = one('label', item).textContent + ' ' + (item.getAttribute('data-search') || '');
    return name.toLowerCase().indexOf(wanted) >= 0;
  }
  function filterItem(item, wanted, shownAbove) {
    var self = fits(item, wanted);
    var found = self ? 1 : 0;
    all('li', item).filter(function (li) { return li.parentElement.closest('li') === item; }).forEach(function (li) {
      found += filterItem(li, wanted, shownAbove || self);
    });
    item.hidden = !(found || shownAbove);
    var fold = one('details', item);
    if (fold && found > (self ? 1 : 0)) fold.open = true;
    return found;
  }
  on('input', '[data-tree-search]', function (box) {
    var tree = box.closest('[data-tree]');
    var wanted = box.value.trim().toLowerCase();
    var note = one('[data-tree-found]', tree);
    if (!wanted) {
      all('li', tree).forEach(function (li) { li.hidden = false; });
      note.textContent = '';
      return;
    }
    var found = all('.tree-box > ul > li', tree).reduce(function (sum, li) {
      return sum + filterItem(li, wanted, false);
    }, 0);
    note.textContent = found ? say('found', { n: found }) : say('not_found');
  });
  on('keydown', '[data-tree-search]', function (box, event) {
    if (event.key === 'Enter') event.preventDefault();
  });

  /* ---- listening ---- */

  function mmss(seconds) {
    var whole = Math.floor(seconds);
    return Math.floor(whole / 60) + ':' + ('0' + whole % 60).slice(-2);
  }
  function startWave(wave) {
    var audio = one('audio', wave);
    var button = one('button', wave);
    var bars = all('rect', wave);
    var label = one('.wave-time', wave);
    var name = button.getAttribute('aria-label').slice(words.play.length);
    function whole() {
      return isFinite(audio.duration) && audio.duration ? audio.duration : parseFloat(wave.getAttribute('data-seconds'));
    }
    function show() {
      var part = audio.currentTime / whole();
      bars.forEach(function (bar, i) { bar.setAttribute('class', i / bars.length < part ? 'on' : ''); });
      label.textContent = mmss(audio.currentTime) + ' / ' + mmss(Math.round(whole()));
    }
    function state() {
      wave.classList.toggle('playing', !audio.paused);
      button.setAttribute('aria-label', (audio.paused ? words.play : words.pause) + name);
    }
    function fail() { label.textContent = say('no_sound'); state(); }
    function play() {
      all('[data-wave] audio').forEach(function (other) { if (other !== audio) other.pause(); });
      var begun = audio.play();
      if (begun) begun.catch(function (fault) {
        if (fault.name !== 'AbortError' && fault.name !== 'NotAllowedError') fail();
      });
    }
    audio.controls = false;
    button.addEventListener('click', function () { if (audio.paused) play(); else audio.pause(); });
    one('.wave-bars', wave).addEventListener('click', function (event) {
      var frame = this.getBoundingClientRect();
      var to = whole() * (event.clientX - frame.left) / frame.width;
      function seek() { audio.currentTime = to; }
      if (audio.readyState) seek(); else audio.addEventListener('loadedmetadata', seek, { once: true });
      play();
    });
    audio.addEventListener('timeupdate', show);
    audio.addEventListener('play', state);
    audio.addEventListener('pause', state);
    audio.addEventListener('ended', function () { audio.currentTime = 0; show(); state(); });
    audio.addEventListener('error', fail);
    if (wave.closest('[data-play]')) { button.focus(); play(); }
  }

  /* ---- forms ---- */

  function startConfirm(input) {
    var button = document.getElementById(input.getAttribute('data-unlocks'));
    function show() { button.disabled = input.value.trim() !== input.getAttribute('data-expect'); }
    input.addEventListener('input', show);
    show();
  }

  /* Who changes the agreed words asks a second person: the button says so as soon as a word differs. */
  on('input', '[data-relabels] input, [data-relabels] textarea', function (field) {
    var fold = field.closest('[data-relabels]');
    var label = (document.getElementById(fold.getAttribute('data-relabels')) || {}).lastChild;
    if (!label) return;
    if (!fold.hasAttribute('data-was')) fold.setAttribute('data-was', label.nodeValue);
    var changed = all('input, textarea', fold).some(function (one) { return one.value !== one.defaultValue; });
    label.nodeValue = fold.getAttribute(changed ? 'data-label' : 'data-was');
  });

  /* One press sends once. The hidden idempotency key guards on the server; this only spares the fright. */
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (event.defaultPrevented || form.method !== 'post' || form.hasAttribute('hx-post')) return;
    if (form.hasAttribute('data-sent')) { event.preventDefault(); return; }
    form.setAttribute('data-sent', '');
    var pressed = event.submitter;
    setTimeout(function () { if (pressed) pressed.setAttribute('aria-busy', 'true'); }, 0);
    /* What takes long says so: the page stays as it is until the answer comes. */
    var slow = form.getAttribute('data-slow');
    if (slow) setTimeout(function () { if (form.hasAttribute('data-sent')) tellSlow(slow); }, 1000);
    setTimeout(function () { release(form); }, slow ? 60000 : 8000);
  });
  function tellSlow(text) { all('[data-slow-note]').forEach(function (place) { place.textContent = text; }); }
  function release(form) {
    form.removeAttribute('data-sent');
    tellSlow('');
    all('[aria-busy]').forEach(function (button) { button.removeAttribute('aria-busy'); });
  }
  window.addEventListener('pageshow', function () { all('form[data-sent]').forEach(release); });

  on('click', '[data-fill]', function (button) {
    fill(button.getAttribute('data-fill-day'), button.getAttribute('data-fill-day-value'));
    fill(button.getAttribute('data-fill'), button.getAttribute('data-fill-value'));
  });
  function fill(id, value) {
    var input = id && document.getElementById(id);
    if (!input) return;
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }

  /* Back to a form that was refused by a page of its own: as it was filled in. Without JS it opens anew. */
  on('click', '[data-back]', function (link, event) {
    if (history.length < 2) return;
    event.preventDefault();
    history.back();
  });

  /* What matters for some choices only: data-shown-for="when:once,daily". Without JS all of it shows. */
  function showForChoice(part) {
    var wanted = part.getAttribute('data-shown-for').split(':');
    var values = wanted[1].split(',');
    part.hidden = !all('[name="' + wanted[0] + '"]:checked', part.closest('form')).some(function (input) {
      return values.indexOf(input.value) >= 0;
    });
  }
  on('change', 'input[type=radio], input[type=checkbox]', function (input) {
    if (input.form) all('[data-shown-for^="' + input.name + ':"]', input.form).forEach(showForChoice);
  });

  on('click', '[data-tiles-open]', function (link, event) {
    event.preventDefault();
    var tiles = link.closest('[data-tiles]');
    tiles.classList.remove('picked');
    one('.on, input:checked', tiles).focus();
  });
  on('change', '[data-tiles] input', function (input) {
    all('.tile-slot', input.closest('[data-tiles]')).forEach(function (slot) {
      slot.classList.toggle('on', slot.contains(input));
    });
  });

  /* Draft: kept two seconds after the last keystroke. The answer may be {time, url, fields: {name: value}}. */
  function startAutosave(form) {
    var waiting = 0;
    var running = false;
    var again = false;
    var leaving = false;
    var sending = null;
    function note(text, bad) {
      all('[data-autosave-note]').forEach(function (place) {
        place.textContent = text;
        place.classList.toggle('stale', !!bad);
      });
    }
    function taken(answer) {
      Object.keys(answer.fields || {}).forEach(function (name) {
        if (form.elements[name]) form.elements[name].value = answer.fields[name];
      });
      if (answer.url) history.replaceState(null, '', answer.url);
      var now = new Date();
      note(say('saved', { time: answer.time || ('0' + now.getHours()).slice(-2) + ':' + ('0' + now.getMinutes()).slice(-2) }));
    }
    function save() {
      if (leaving || form.hasAttribute('data-sent')) return;
      if (running) { again = true; return; }
      running = true;
      again = false;
      sending = new AbortController();
      post(form.getAttribute('data-autosave-url'), new FormData(form), sending.signal).then(function (reply) {
        if (reply.status === 401) { note(say('signed_out'), true); return null; }
        if (reply.status >= 400 && reply.status < 500) {
          return reply.json().catch(function () { return { note: say('page_old') }; })
            .then(function (answer) { note(answer.note || say('not_saved'), true); });
        }
        if (!reply.ok) throw new Error(String(reply.status));
        var json = (reply.headers.get('Content-Type') || '').indexOf('json') >= 0;
        return (json ? reply.json() : Promise.resolve({})).then(taken);
      }).catch(function () {
        if (leaving) return;
        note(say('not_saved'), true);
        plan(10000);
      }).then(function () {
        running = false;
        if (again) plan(2000);
      });
    }
    function plan(delay) { clearTimeout(waiting); waiting = setTimeout(save, delay); }
    form.addEventListener('input', function () { plan(2000); });
    form.addEventListener('change', function () { plan(2000); });
    /* Handing in may take a while, and changes the version: nothing is kept beside it. */
    form.addEventListener('submit', function () {
      clearTimeout(waiting);
      leaving = true;
      if (sending) sending.abort();
    });
    window.addEventListener('pageshow', function () { leaving = false; });
  }

  /* Preview: the server answers elements with ids; each replaces its namesake in the page. */
  function startPreview(form) {
    var waiting = 0;
    var last = null;
    function show(html) {
      var holder = document.createElement('template');
      holder.innerHTML = html;
      Array.prototype.slice.call(holder.content.children).forEach(function (fresh) {
        var old = fresh.id && document.getElementById(fresh.id);
        if (!old) return;
        all('details[id]', fresh).forEach(function (fold) {
          var before = document.getElementById(fold.id);
          fold.open = before ? before.open : fold.open;
        });
        old.parentNode.replaceChild(fresh, old);
        start(fresh);
        if (window.htmx) window.htmx.process(fresh);
      });
    }
    function ask() {
      if (last) last.abort();
      last = new AbortController();
      post(form.getAttribute('data-preview-url'), new FormData(form), last.signal).then(function (reply) {
        return reply.ok ? reply.text().then(show) : null;
      }).catch(function () { /* the old preview stays; the page itself checks again when sent */ });
    }
    function plan() { clearTimeout(waiting); waiting = setTimeout(ask, 400); }
    form.addEventListener('input', plan);
    form.addEventListener('change', plan);
  }

  /* ---- countdown: the server counts and acts, this shows ---- */

  function startCountdown(cover) {
    var end = performance.now() + 1000 * parseFloat(cover.getAttribute('data-countdown'));
    var number = one('[data-countdown-number]', cover);
    var button = one('button', cover);
    var timer = setInterval(function () {
      var left = Math.max(0, (end - performance.now()) / 1000);
      var shown = String(Math.ceil(left));
      if (number.textContent !== shown) number.textContent = shown;
      if (left > 0) return;
      clearInterval(timer);
      location.replace(cover.getAttribute('data-next'));
    }, 100);
    cover.addEventListener('submit', function () { clearInterval(timer); });
    cover.addEventListener('keydown', function (event) {
      if (event.key === 'Tab') { event.preventDefault(); button.focus(); }
    });
    button.focus();
  }

  /* ---- light and dark ---- */

  function setTheme(value) {
    if (value) root.setAttribute('data-theme', value); else root.removeAttribute('data-theme');
    all('[data-theme-form] button').forEach(function (button) {
      button.setAttribute('aria-pressed', String(button.value === value));
    });
  }
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (!form.hasAttribute('data-theme-form') || !event.submitter) return;
    event.preventDefault();
    var value = event.submitter.value;
    setTheme(value);
    document.cookie = 'theme=' + value + ';path=/;max-age=' + (value ? 31536000 : 0) + ';samesite=lax';
    var url = form.getAttribute('action');
    if (!url) return;
    var body = new FormData(form);
    body.append('theme', value);
    post(url, body).catch(function () { /* the cookie remembers on this device */ });
  }, true);
  var kept = /(?:^|; )theme=(light|dark)/.exec(document.cookie);
  if (kept && !root.hasAttribute('data-theme')) setTheme(kept[1]);

  /* ---- polling: silent while hidden, slower after faults, honest about age ---- */

  var freshAt = Date.now();
  var trouble = {};

  function polls(element) {
    return (element.getAttribute('hx-trigger') || '').indexOf('every') >= 0;
  }
  function failed(event) {
    var element = event.detail.elt;
    if (!polls(element)) return;
    var count = (trouble[element.id] ? trouble[element.id].count : 0) + 1;
    /* A hub that is being restarted says when to ask again; the page keeps what it shows, and its age tells the rest. */
    var wait = parseInt((event.detail.xhr && event.detail.xhr.getResponseHeader('Retry-After')) || '', 10) * 1000;
    trouble[element.id] = { count: count, until: Date.now() + Math.min(30000, wait || 2500 * Math.pow(2, count)) };
  }
  document.addEventListener('htmx:configRequest', function (event) {
    if (event.detail.verb !== 'get') event.detail.headers['X-CSRFToken'] = token();
  });
  document.addEventListener('htmx:beforeRequest', function (event) {
    var element = event.detail.elt;
    if (!polls(element)) return;
    var wait = trouble[element.id];
    if (document.hidden || (wait && Date.now() < wait.until)) event.preventDefault();
  });
  ['responseError', 'sendError', 'timeout'].forEach(function (name) { document.addEventListener('htmx:' + name, failed); });
  document.addEventListener('htmx:afterRequest', function (event) {
    /* What was replaced is no longer in the page: the event then comes from its parent, the request knows who asked. */
    var element = event.detail.requestConfig ? event.detail.requestConfig.elt : event.detail.elt;
    if (!event.detail.successful || !polls(element)) return;
    delete trouble[element.id];
    freshAt = Date.now();
    showAge();
  });
  document.addEventListener('htmx:load', function (event) { start(event.detail.elt); });
  document.addEventListener('visibilitychange', function () {
    if (document.hidden || !window.htmx) return;
    all('[hx-trigger*="every"]').forEach(function (element) {
      window.htmx.ajax('GET', element.getAttribute('hx-get'), {
        source: element, target: element, swap: element.getAttribute('hx-swap') || 'innerHTML'
      });
    });
  });
  function showAge() {
    var age = Math.floor((Date.now() - freshAt) / 1000);
    var old = age > 30;
    var text = old ? say('stale', { n: age }) : age < 6 ? say('just_now') : say('seconds_ago', { n: age });
    all('[data-freshness]').forEach(function (note) {
      note.classList.toggle('stale', old);
      if (note.textContent !== text) note.textContent = text;
    });
  }
  setInterval(function () {
    if (!document.hidden && one('[hx-trigger*="every"]')) showAge();
  }, 1000);

  /* ---- begin ---- */

  document.addEventListener('keydown', function (event) {
    if (event.key !== 'Escape') return;
    if (location.hash === '#menu') location.hash = '#main';
    all('.drop[open]').forEach(function (drop) { drop.open = false; one('summary', drop).focus(); });
  });
  document.addEventListener('click', function (event) {
    all('.drop[open]').forEach(function (drop) { if (!drop.contains(event.target)) drop.open = false; });
  });

  var STARTERS = {
    '[data-tree]': startTree, '[data-wave]': startWave, '[data-expect]': startConfirm,
    'form[data-autosave-url]': startAutosave, 'form[data-preview-url]': startPreview,
    '[data-countdown]': startCountdown, '[data-shown-for]': showForChoice
  };
  var started = {};
  function start(within) {
    Object.keys(STARTERS).forEach(function (selector) {
      var done = started[selector] || (started[selector] = new WeakSet());
      var found = all(selector, within);
      if (within.matches && within.matches(selector)) found.push(within);
      found.forEach(function (element) {
        if (done.has(element)) return;
        done.add(element);
        STARTERS[selector](element);
      });
    });
  }
  start(document);
  var errors = one('[data-focus]');
  if (errors) errors.focus();
})();

/* ---- joining: hub/speakers/joining. A scanned claim code stands behind the # of the address, which no server sees. */
(function () {
  'use strict';
  var NAME = 'cunxiang-claim';
  var field = document.querySelector('[data-claim-code]');
  var keep = document.querySelector('[data-claim-keep]');
  var code = location.hash.slice(1).replace(/[^0-9A-Za-z]/g, '');
  if (code.length !== 16) code = '';
  try {
    if ((field || keep) && code) history.replaceState(null, '', location.pathname + location.search);
    if (keep && code) sessionStorage.setItem(NAME, code);
    if (field && !field.value) {
      code = code || sessionStorage.getItem(NAME) || '';
      sessionStorage.removeItem(NAME);
      if (code) field.value = code.toUpperCase().match(/.{4}/g).join('-');
    }
  } catch (error) { /* storage is switched off: the person scans again, or types */ }
  document.addEventListener('click', function (event) {
    if (event.target.closest && event.target.closest('[data-print]')) window.print();
  });
})();
