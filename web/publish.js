// "Publish from this browser": a form, and what becomes of it.

export function dressPublisher(box) {
  if (!box || box.dataset.dressed) return;
  box.dataset.dressed = "yes";
  const form = box.querySelector("form");
  const [button, say] = [form.querySelector("button"), form.querySelector("output")];
  let session = null;
  let stream = null;

  function rest(words) {
    session?.close();
    (stream?.close || (() => stream?.getTracks().forEach((track) => track.stop())))();
    session = stream = null;
    button.textContent = "Publish";
    button.disabled = false;
    say.textContent = words;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (session) return rest("Stopped.");
    button.disabled = true;
    say.textContent = "Connecting …";
    const { mount, key, what } = Object.fromEntries(new FormData(form));
    try {
      const whip = await import("./whip.js");
      stream = what === "camera" ? await whip.camera() : whip.testPicture();
      session = await whip.publish(stream, `/whip/${mount.replace(/^\/+/, "")}`, key, { bitrate: 2_500_000 });
    } catch (why) {
      return rest(why.message);
    }
    button.disabled = false;
    button.textContent = "Stop";
    say.textContent = `On the air at ${mount}.`;
    const mine = session;
    mine.ended.then((why) => session === mine && rest(why));
  });
}
