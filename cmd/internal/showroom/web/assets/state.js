// What a customer is told of the conversation: one word for each, of which the
// texts and the page's look follow.

/**
 * call is {state} as the server tells it, null in an open room; reached: the server,
 * just now; server: the state of the room, '' before it is known; fresh: a picture
 * was shown just now; seen: one was shown ever.
 */
export function stateOf({call, reached, server, fresh, seen}) {
  if (call?.state === 'ended') return 'ended';
  if (!reached) return fresh ? 'live' : server ? 'offline' : 'opening';
  if (call && call.state !== 'live') return CALLS[call.state] ?? 'opening';
  if (server === 'live') return fresh ? 'live' : seen ? 'interrupted' : 'connecting';
  // In a call, an advisor who is away for a moment is expected back.
  if (call && server === 'waiting') return seen ? 'interrupted' : 'connecting';
  return server || 'opening';
}

const CALLS = {booked: 'calling', waiting: 'calling', ringing: 'ringing', connecting: 'connecting'};
