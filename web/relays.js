// Who relays whom, as far as this server knows.

export async function drawRelays(place) {
  if (!place) return;
  const answer = await fetch("/api/v1/relays").catch(() => null);
  if (!answer?.ok) return;
  const { parents, children } = await answer.json();
  place.hidden = parents.length + children.length === 0;
  const list = place.querySelector("ol");
  list.replaceChildren(
    ...parents.map((p) => row(`parent → ${p.mount}`, `${Math.round(p.kbits)} kbit/s`)),
    ...children.map((c) => row(`${c.mount} → ${c.agent || "a relay"}`, `${(c.sent / 1e6).toFixed(1)} MB`)),
  );
}

function row(what, how) {
  const item = document.createElement("li");
  item.textContent = `${what} · ${how}`;
  return item;
}
