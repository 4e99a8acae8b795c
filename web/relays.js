// Keeps the tree of relays fresh. The server draws it; here it only changes places with its successor.

export async function drawRelays(place) {
  if (!place) return;
  const answer = await fetch("/assets/relays.svg").catch(() => null);
  const there = answer?.status === 200;
  place.hidden = !there;
  if (!there) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  if (fresh.nodeName !== "svg") return;
  const plan = place.querySelector(".plan");
  const nodes = [...plan.querySelectorAll(".node")];
  const focused = nodes.indexOf(document.activeElement);
  plan.replaceChildren(document.importNode(fresh, true));
  if (focused >= 0) plan.querySelectorAll(".node")[focused]?.focus();
}
