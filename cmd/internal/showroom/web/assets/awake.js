// A phone that is only looked at would switch its screen off.

let lock = null;

/** Keeps the screen on, or no longer. The browser lets go of it with each change of tabs. */
export async function keepAwake(wanted) {
  if (!wanted) {
    const held = lock;
    lock = null;
    return held?.release();
  }
  if (lock && !lock.released || document.hidden) return;
  try {
    lock = await navigator.wakeLock?.request('screen');
  } catch { // low battery: then not
  }
}
