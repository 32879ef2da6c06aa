// Questions to the server, and its refusals (RFC 9457).

const PATIENCE = 15000; // ms

/** The server said no: with a status, its problem, and the problem's word. */
export class Refused extends Error {
  constructor(answer, problem) {
    super(`the server answered ${answer.status}`);
    this.status = answer.status;
    this.problem = problem;
    this.word = /^urn:bril:problem:(.+)$/.exec(problem.type ?? '')?.[1] ?? '';
    this.retryAfter = Number(answer.headers.get('Retry-After') ?? 0); // s
  }
}

/** Returns what the server answers; null where that is nothing. */
export async function ask(method, path, {body, token, keepalive} = {}) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, {
    method, headers, keepalive, cache: 'no-store', body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE),
  });
  if (!answer.ok) throw new Refused(answer, await answer.json().catch(() => ({})));
  return isJSON(answer) ? answer.json() : null;
}

function isJSON(answer) {
  return answer.status !== 204 && (answer.headers.get('Content-Type') ?? '').startsWith('application/json');
}

/** What to say of an error that nobody expected: [key, values]. */
export function trouble(error) {
  if (!(error instanceof Refused)) return ['trouble.offline'];
  if (error.status === 429) return ['trouble.many', {minutes: Math.max(1, Math.ceil(error.retryAfter / 60))}];
  if (error.word === 'no-data') return ['trouble.noData']; // a server that shows an open room only
  return ['trouble.server'];
}
