// What the page asks the server. A session is a cookie that no script sees.

/** An answer that is not what was asked for. `word` is the last part of its type. */
export class Refusal extends Error {
  constructor(status, word, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.word = word;
    this.retryAfter = retryAfter; // seconds; 0 for none
  }
}

const PATIENCE = 10_000; // ms

/**
 * Asks, and returns the JSON of the answer, or null where it has none. It throws a
 * Refusal, or a TypeError or DOMException where the server cannot be reached.
 *
 * idle says that nobody has touched the page: such requests do not prolong the session.
 * base is what the path is below.
 */
export async function ask(method, path, {body, idle = false, base = '/api/staff/'} = {}) {
  const headers = {};
  if (body) headers['Content-Type'] = 'application/json';
  if (idle) headers['Staff-Idle'] = '?1';
  const answer = await fetch(base + path, {
    method, headers, body: body && JSON.stringify(body), cache: 'no-store', redirect: 'error',
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (answer.status === 204) return null;
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  const word = String(problem.type ?? '').split(':').pop();
  throw new Refusal(answer.status, word, problem.detail ?? '', Number(answer.headers.get('Retry-After')) || 0);
}
