// Keeps the picture of a team fresh while somebody looks at it. The server draws it.

export async function drawTeam(place) {
  const answer = await fetch(`/assets/team${place.dataset.team}`).catch(() => null);
  if (answer?.status === 204) place.querySelector(".plan").textContent = "No team carries it at present.";
  if (answer?.status !== 200) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  place.querySelector(".plan").replaceChildren(...fresh.childNodes);
}
