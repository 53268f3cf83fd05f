/* Cunxiang: the shout page. Floor: Chromium 88, so no ?. and no ??=. Without a microphone the form with its file stays. */
(function () {
  'use strict';

  var form = document.getElementById('shout');
  if (!form) return;
  function by(id) { return document.getElementById(id); }
  var talk = by('talk');
  var button = by('talk-button');
  var word = by('talk-word');
  var hint = by('talk-hint');
  var clock = by('talk-clock');
  var level = by('talk-level').querySelector('.fill');
  var acts = by('talk-acts');
  var again = by('talk-again');
  var progress = by('talk-progress');
  var file = by('f-recording');
  var words = JSON.parse(by('shout-words').textContent);
  var firstHint = hint.textContent;

  var PIECE_MS = 1000;
  var TAP_MS = 400;
  var TRIES = 8;
  var AT_ONCE = 2;
  var KINDS = ['audio/webm;codecs=opus', 'audio/ogg;codecs=opus', 'audio/mp4'];

  function say(key, values) {
    return (words[key] || '').replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function tell(text, bad) {
    hint.textContent = text;
    hint.classList.toggle('bad', !!bad);
  }
  function offer(element, on) {
    [again, progress].forEach(function (each) { each.hidden = !(on && each === element); });
    acts.hidden = !on;
  }
  function post(url, body, type) {
    var headers = { 'X-CSRFToken': document.querySelector('meta[name="csrf-token"]').content, 'X-Requested-With': 'fetch' };
    if (type) headers['Content-Type'] = type;
    return fetch(url, { method: 'POST', body: body, credentials: 'same-origin', headers: headers });
  }
  /* What the hub answers: its JSON, or a sentence about what is wrong. Only a line that is down may be tried again. */
  function answer(reply) {
    var json = (reply.headers.get('Content-Type') || '').indexOf('json') >= 0;
    if (reply.status >= 500 && !json) throw new Error('line');
    return (json ? reply.json() : Promise.resolve({})).then(function (body) {
      if (reply.ok && json) return body;
      return { refused: body.note || words.trouble };
    });
  }
  function later(ms) { return new Promise(function (done) { setTimeout(done, ms); }); }
  function newKey() {
    var bytes = new Uint8Array(16);
    crypto.getRandomValues(bytes);
    return Array.prototype.map.call(bytes, function (b) { return ('0' + b.toString(16)).slice(-2); }).join('');
  }
  function fields() {
    var body = new FormData(form);
    body.delete('recording');
    body.delete('mode');
    body.set('form_key', newKey());
    return body;
  }
  function mode() { return form.elements.mode.value; }
  function hasPlace() { return new FormData(form).getAll('region').length > 0; }

  /* ---- a file from elsewhere ---- */

  file.addEventListener('change', function (event) {
    event.stopPropagation();
    if (!file.files.length) return;
    if (state === 'idle') upload(file.files[0], file.files[0].name);
    file.value = '';
  });
  file.addEventListener('input', function (event) { event.stopPropagation(); });

  function upload(blob, name) {
    var body = fields();
    body.append('recording', blob, name);
    kept = { blob: blob, name: name };
    state = 'sending';
    offer(null, false);
    tell(words.uploading);
    post(form.action, body).then(answer).then(function (said) {
      if (said.url) { location.href = said.url; return; }
      state = 'idle';
      tell(said.refused, true);
    }).catch(function () {
      state = 'idle';
      tell(words.lost, true);
      offer(again, true);
    });
  }
  again.addEventListener('click', function () {
    if (kept && state === 'idle') upload(kept.blob, kept.name);
  });
  window.addEventListener('pageshow', function (event) {
    if (!event.persisted) return;
    state = 'idle';
    tell(firstHint);
  });

  /* ---- the microphone ---- */

  var state = 'idle';
  var kept = null;
  var held = false;
  var latched = false;
  var stream = null;
  var meter = null;
  var recorder = null;
  var timer = 0;
  var begunAt = 0;
  var pressedAt = 0;
  var longest = parseFloat(form.getAttribute('data-longest'));
  var shout = null;

  var able = window.isSecureContext && navigator.mediaDevices && navigator.mediaDevices.getUserMedia && window.MediaRecorder;
  if (!able) {
    talk.hidden = true;
    by('no-microphone').hidden = false;
    /* Where nothing can be said beside the button, the file's own messages stand at the file. */
    by('no-microphone').appendChild(hint);
    tell('');
    return;
  }

  function kind() {
    return KINDS.filter(function (each) { return MediaRecorder.isTypeSupported(each); })[0] || '';
  }
  function open() {
    if (stream && stream.active) return Promise.resolve(stream);
    var wanted = { audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true } };
    return navigator.mediaDevices.getUserMedia(wanted).then(function (opened) {
      stream = opened;
      watch(opened);
      return opened;
    });
  }
  function watch(opened) {
    var Audio = window.AudioContext || window.webkitAudioContext;
    if (!Audio) return;
    var context = new Audio();
    var analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(opened).connect(analyser);
    meter = { context: context, analyser: analyser, samples: new Uint8Array(analyser.fftSize) };
  }
  function showLevel() {
    if (state !== 'recording') { level.setAttribute('width', '0%'); return; }
    if (meter) {
      meter.analyser.getByteTimeDomainData(meter.samples);
      var peak = 0;
      for (var i = 0; i < meter.samples.length; i += 1) peak = Math.max(peak, Math.abs(meter.samples[i] - 128));
      level.setAttribute('width', Math.min(100, Math.round(peak * 100 / 64)) + '%');
    }
    requestAnimationFrame(showLevel);
  }
  function letGoOfMicrophone() {
    if (stream) stream.getTracks().forEach(function (track) { track.stop(); });
    if (meter) meter.context.close();
    stream = meter = null;
  }
  function refusedBy(fault) {
    state = 'idle';
    show(false);
    tell(fault && fault.name === 'NotFoundError' ? words.no_device : words.denied, true);
  }

  /* ---- pressing and letting go ---- */

  function press() {
    if (latched) { latched = false; finish(); return; }
    if (state !== 'idle' || button.disabled) return;
    if (!hasPlace()) { tell(words.no_place, true); var fold = by('places'); if (fold) fold.open = true; return; }
    held = true;
    pressedAt = Date.now();
    state = 'opening';
    offer(null, false);
    if (!stream) tell(words.opening);
    open().then(function (opened) {
      if (meter && meter.context.resume) meter.context.resume();
      if (!held) { state = 'idle'; tell(words.ready); return; }
      record(opened);
    }).catch(refusedBy);
  }
  function letGo() {
    if (!held) return;
    held = false;
    if (state !== 'recording' || latched) return;
    if (!shout && Date.now() - pressedAt < TAP_MS) {
      latched = true;
      word.textContent = words.tap_stop;
      tell(words.latched);
      return;
    }
    finish();
  }
  function show(on) {
    button.classList.toggle('on', on);
    word.textContent = on ? words.release : words.hold;
    if (!on) clearInterval(timer);
  }

  function record(opened) {
    var parts = [];
    var type = kind();
    var live = mode() === 'live' ? newLive() : null;
    shout = live;
    recorder = new MediaRecorder(opened, type ? { mimeType: type, audioBitsPerSecond: 32000 } : undefined);
    recorder.addEventListener('dataavailable', function (event) {
      if (!event.data || !event.data.size) return;
      if (live) live.add(event.data); else parts.push(event.data);
    });
    recorder.addEventListener('stop', function () {
      var seconds = (Date.now() - begunAt) / 1000;
      show(false);
      if (live) { live.finish(); return; }
      state = 'idle';
      if (!parts.length || seconds < 0.7) { tell(words.too_short, true); return; }
      upload(new Blob(parts, { type: type }), 'shout');
    });
    recorder.start(PIECE_MS);
    begunAt = Date.now();
    talk.setAttribute('data-begun', String(begunAt));
    state = 'recording';
    show(true);
    if (live) { tell(words.connecting); live.open(); } else tell(words.recording);
    timer = setInterval(tick, 200);
    tick();
    requestAnimationFrame(showLevel);
  }
  function tick() {
    var seconds = Math.floor((Date.now() - begunAt) / 1000);
    clock.textContent = say('seconds', { s: seconds });
    if (seconds >= (shout ? shout.longest() : longest)) { latched = false; held = false; finish(); }
  }
  function finish() {
    latched = false;
    if (recorder && recorder.state !== 'inactive') recorder.stop();
  }

  /* ---- live: numbered pieces, two on their way at once, tried again until the hub has them ---- */

  function newLive() {
    var waiting = [];
    var number = 0;
    var flying = 0;
    var where = null;
    var over = false;
    var saidMs = 0;
    var most = longest;

    function fail(text) {
      if (over) return;
      over = true;
      waiting = [];
      held = false;
      finish();
      state = 'idle';
      show(false);
      tell(text, true);
      if (where) { progress.href = where.progress; offer(progress, true); }
    }
    function send(piece, tries) {
      return post(where.chunks + piece.number, piece.data, 'application/octet-stream').then(answer).then(function (said) {
        if (said.refused) { fail(said.refused); return; }
        saidMs = Math.max(saidMs, said.said_ms || 0);
        if (!over && state === 'recording') tell(say('live', { s: Math.round(saidMs / 1000) }));
      }).catch(function () {
        if (over) return null;
        if (tries <= 1) { fail(words.live_lost); return null; }
        return later(600).then(function () { return send(piece, tries - 1); });
      });
    }
    function pump() {
      while (where && !over && flying < AT_ONCE && waiting.length) {
        flying += 1;
        send(waiting.shift(), TRIES).then(function () { flying -= 1; pump(); });
      }
    }
    function whenSent(until) {
      if (over || (!waiting.length && !flying && where) || Date.now() > until) return Promise.resolve();
      return later(50).then(function () { return whenSent(until); });
    }
    return {
      longest: function () { return most; },
      open: function () {
        post(form.getAttribute('data-live-url'), fields()).then(answer).then(function (said) {
          if (said.refused) { fail(said.refused); return; }
          where = said;
          most = said.longest_s;
          pump();
        }).catch(function () { fail(words.trouble); });
      },
      add: function (data) {
        waiting.push({ number: number, data: data });
        number += 1;
        pump();
      },
      finish: function () {
        if (over) { state = 'idle'; return; }
        state = 'sending';
        var seconds = Math.round((Date.now() - begunAt) / 1000);
        tell(words.ending);
        whenSent(Date.now() + 8000).then(function () {
          if (over) return null;
          if (!where) { fail(words.trouble); return null; }
          var body = new FormData();
          body.append('count', String(number));
          return post(where.end, body).then(answer).then(function () {
            over = true;
            state = 'idle';
            tell((seconds >= most ? words.full : '') + say('live_done', { s: seconds }));
            progress.href = where.progress;
            offer(progress, true);
          });
        }).catch(function () { fail(words.live_lost); });
      }
    };
  }

  /* ---- hands ---- */

  button.addEventListener('pointerdown', function (event) {
    if (event.button) return;
    event.preventDefault();
    button.focus();
    if (button.setPointerCapture) button.setPointerCapture(event.pointerId);
    press();
  });
  ['pointerup', 'pointercancel'].forEach(function (type) { button.addEventListener(type, letGo); });
  button.addEventListener('contextmenu', function (event) { event.preventDefault(); });
  button.addEventListener('keydown', function (event) {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (!event.repeat) press();
  });
  button.addEventListener('keyup', function (event) {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    letGo();
  });
  button.addEventListener('blur', letGo);
  document.addEventListener('visibilitychange', function () {
    if (!document.hidden) return;
    held = false;
    finish();
    if (state !== 'recording') letGoOfMicrophone();
  });
  window.addEventListener('pagehide', letGoOfMicrophone);

  /* The card above tells whether it is time; the button follows it. */
  new MutationObserver(function () {
    var reach = by('reach');
    if (reach && state === 'idle') button.disabled = reach.hasAttribute('data-refused');
  }).observe(form, { childList: true });
}());
