// Optional conveniences of the sandbox. Everything but copying works without this file.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser does not allow it";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

const figure = document.querySelector("[data-course]");
const sketch = document.querySelector("input[name=sketch]");
if (figure && sketch) {
  const body = new FormData();
  body.set("sketch", sketch.value);
  fetch(figure.dataset.course, { method: "POST", body }).then(async (answer) => {
    if (!answer.ok) return;
    const picture = new Image();
    picture.alt = JSON.parse(sketch.value).description;
    picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(await answer.text());
    figure.replaceChildren(picture);
  }).catch(() => { /* the button that draws it is still there */ });
}
