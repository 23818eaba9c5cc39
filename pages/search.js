// Finds sections that hold all words typed. What the pages say is loaded with the first key, also from a folder (file:).
"use strict";
{
  const box = document.getElementById("words"), list = document.getElementById("found"), top = box.dataset.top;
  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  let known = null, chosen = -1;

  const load = () => new Promise((done) => {
    if (known) return done();
    const script = document.createElement("script");
    script.src = top + "pages.js";
    script.onload = () => { known = window.PAGES.map((one) => ({ ...one, title: plain(one.t + " " + one.h), text: plain(one.x) })); done(); };
    document.head.append(script);
  });

  const rank = (one, words) => words.reduce((sum, word) => sum + (one.title.includes(word) ? 10 : 0) + Math.min(5, one.text.split(word).length - 1), 0);

  const show = () => {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    list.hidden = !words.length;
    chosen = -1;
    const hits = known.filter((one) => words.every((word) => (one.title + " " + one.text).includes(word)))
      .sort((a, b) => rank(b, words) - rank(a, words)).slice(0, 12);
    list.replaceChildren(...(hits.length ? hits.map((one) => entry(one, words[0])) : [nothing()]));
  };

  const entry = (one, word) => {
    const item = document.createElement("li"), link = document.createElement("a"), said = document.createElement("small");
    const at = Math.max(0, one.text.indexOf(word) - 40);
    link.href = top + one.u;
    link.textContent = one.h === one.t ? one.t : `${one.t}: ${one.h}`;
    said.textContent = one.x.slice(at, at + 140);
    link.append(said);
    item.append(link);
    return item;
  };

  const nothing = () => {
    const item = document.createElement("li");
    item.className = "none";
    item.textContent = "Nothing found";
    return item;
  };

  const choose = (step) => {
    const links = [...list.querySelectorAll("a")];
    if (!links.length) return;
    chosen = (chosen + step + links.length) % links.length;
    links.forEach((one, place) => one.classList.toggle("chosen", place === chosen));
    links[chosen].scrollIntoView({ block: "nearest" });
  };

  box.addEventListener("input", () => load().then(show));
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { choose(1); event.preventDefault(); }
    if (event.key === "ArrowUp") { choose(-1); event.preventDefault(); }
    if (event.key === "Escape") { list.hidden = true; box.blur(); }
    if (event.key === "Enter") { (list.querySelector("a.chosen") || list.querySelector("a"))?.click(); }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest("header form")) list.hidden = true; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement === document.body) { box.focus(); event.preventDefault(); }
  });
}
