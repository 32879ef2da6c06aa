// The first picture of a clip, and its length.

const PATIENCE = 15000; // ms
const WIDTH = 320; // of the poster, in pixels

let last = Promise.resolve();

/**
 * Resolves to {canvas, duration}, each null when the browser would not tell. One
 * clip at a time, and its decoder is given back at once: a phone has few, and the
 * live picture needs one.
 */
export function poster(url) {
  const next = last.then(() => look(url));
  last = next.catch(() => {});
  return next;
}

async function look(url) {
  const video = document.createElement('video');
  Object.assign(video, {muted: true, playsInline: true, preload: 'metadata'});
  // Safari shows no picture before it has been asked for a place in the clip.
  video.src = `${url}#t=0.001`;
  await first(video, ['loadeddata', 'error']);
  const found = {canvas: draw(video), duration: Number.isFinite(video.duration) ? video.duration : null};
  video.removeAttribute('src');
  video.load();
  return found;
}

function first(video, events) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE);
    for (const event of events) {
      video.addEventListener(event, () => {
        clearTimeout(timer);
        resolve();
      }, {once: true});
    }
  });
}

function draw(video) {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = Math.round(WIDTH * video.videoHeight / video.videoWidth);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Minutes and seconds: "0:07". */
export function minutes(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
