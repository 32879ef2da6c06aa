// How the customer's network does, for the advisor: judged once a second from what
// the browser counts, and told only when it has changed for a while.

const RANKS = ['frozen', 'poor', 'good'];
const LOSS = 0.05; // of the packets in a second; more is poor
const SLOW = 8; // pictures in a second; fewer are poor
const SECONDS = {worse: 2, better: 5}; // in a row before it is another network

/** What a new page begins with. */
export const START = {network: 'good', streak: 0, seen: 2};

/** One second by itself: {frames, lost, received, freezes}, all counted in it. */
export function rank({frames, lost, received, freezes}) {
  if (frames <= 0) return 0;
  const loss = lost > 0 ? lost / (lost + received) : 0;
  return loss > LOSS || freezes > 0 || frames < SLOW ? 1 : 2;
}

/**
 * The next state after a second. A change has to last: of what was seen meanwhile,
 * the least change counts. null stands for a second in which no picture was due.
 */
export function judge(state, second) {
  if (!second) return {...state, streak: 0};
  const [is, was] = [rank(second), RANKS.indexOf(state.network)];
  if (is === was) return {...state, streak: 0};
  const worse = is < was;
  const goesOn = state.streak > 0 && worse === state.seen < was;
  const seen = !goesOn ? is : worse ? Math.max(is, state.seen) : Math.min(is, state.seen);
  const streak = goesOn ? state.streak + 1 : 1;
  if (streak < (worse ? SECONDS.worse : SECONDS.better)) return {...state, streak, seen};
  return {network: RANKS[seen], streak: 0, seen};
}

/** Counts one second after the other: the browser's figures are of the whole session. */
export class Counter {
  #pc = null;
  #before = null;

  /** Resolves to what happened since the last call; null at first, and with a new session. */
  async second(pc) {
    const now = await figures(pc);
    const before = this.#pc === pc ? this.#before : null;
    [this.#pc, this.#before] = [pc, now];
    if (!before || !now) return null;
    return Object.fromEntries(Object.keys(now).map((name) => [name, now[name] - before[name]]));
  }
}

async function figures(pc) {
  for (const report of (await pc.getStats()).values()) {
    if (report.type !== 'inbound-rtp' || report.kind !== 'video') continue;
    return {
      frames: report.framesDecoded ?? 0, lost: report.packetsLost ?? 0,
      received: report.packetsReceived ?? 0, freezes: report.freezeCount ?? 0,
    };
  }
  return null;
}
