// The access key of a conversation, from the link's fragment, which no server
// sees, is exchanged for a cookie that no script sees.

/** Sends the key. Says whether the conversation may be watched now. */
export async function unlock(name, hash = location.hash) {
  const key = hash.replace(/^#/, '');
  if (!key) return false;
  const answer = await fetch(`/api/sessions/${name}/access`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({key}),
  });
  return answer.ok;
}
