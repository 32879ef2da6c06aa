// The customer talks back: the microphone, asked for on the tap only, in a session
// of its own (WHIP). Off means off: the track is stopped and the session deleted.

import {Line} from './line.js';
import {Session} from './session.js';

const AUDIO = {echoCancellation: true, noiseSuppression: true, autoGainControl: true};
const FINAL = [401, 403, 404, 409, 410]; // trying again changes nothing

/** on.state(state, problem): off (with a problem or without), asking, connecting, on. */
export class Talk {
  state = 'off';
  track = null;
  #line = null;

  constructor(endpoint, on) {
    this.endpoint = endpoint;
    this.on = on;
  }

  get pc() {
    return this.#line?.pc ?? null;
  }

  async turnOn() {
    if (this.state !== 'off') return;
    this.#become('asking');
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({audio: AUDIO});
    } catch (error) {
      this.#become('off', problemOf(error));
      return;
    }
    if (this.state !== 'asking') return release(stream); // turned off meanwhile
    this.stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.track.onended = () => this.#drop('microphone.lost'); // unplugged, or taken back
    this.#become('connecting');
    this.#line = new Line((onLink) => new Session(this.endpoint, (pc) => send(pc, this.track), onLink), {
      link: (state) => this.#linked(state),
      refused: (status) => this.#drop(status === 409 ? 'microphone.taken' : 'microphone.failed'),
    }, (status) => FINAL.includes(status));
    this.#line.play();
  }

  turnOff() {
    this.#drop();
  }

  /** As that of a Line. */
  forgotten(before) {
    if (this.state === 'connecting' || this.state === 'on') this.#line.forgotten(before);
  }

  /** The network is another one. */
  renew() {
    if (this.state === 'connecting' || this.state === 'on') this.#line.renew();
  }

  #linked(state) {
    if (this.state !== 'connecting' && this.state !== 'on') return;
    if (state === 'connected') this.#line.works();
    this.#become(state === 'connected' ? 'on' : 'connecting');
  }

  #drop(problem) {
    if (this.state === 'off') return;
    if (this.track) this.track.enabled = false; // not one more word
    this.#line?.close();
    release(this.stream);
    this.#line = this.track = this.stream = null;
    this.#become('off', problem);
  }

  #become(state, problem) {
    this.state = state;
    this.on.state(state, problem);
  }
}

function send(pc, track) {
  const transceiver = pc.addTransceiver(track, {direction: 'sendonly'});
  const codecs = RTCRtpSender.getCapabilities('audio').codecs.filter(({mimeType}) => mimeType.toLowerCase() === 'audio/opus');
  transceiver.setCodecPreferences?.(codecs);
}

function release(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.onended = null;
    track.stop();
  }
}

function problemOf({name}) {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'microphone.denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'microphone.none';
  return 'microphone.busy';
}
