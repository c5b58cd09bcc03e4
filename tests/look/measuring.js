// What a reader would stumble over, as JSON in the title: texts that touch, are cut off, or can't be told from their ground.
function box(e) { const r = e.getBoundingClientRect(); return {l: r.left, t: r.top, r: r.right, b: r.bottom}; }
function said(e) { return (e.textContent || e.tagName).trim().slice(0, 40); }
function luminance(c) {
  const [r, g, b] = c.match(/[\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(e) {
  for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c && !c.startsWith("rgba(0, 0, 0, 0")) return c;
  }
  return "rgb(255, 255, 255)";
}
function contrast(e) {
  const style = getComputedStyle(e), ink = e instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [luminance(ink), luminance(ground(e))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
const found = [], wide = document.documentElement.clientWidth;
document.querySelectorAll("details").forEach(e => { e.open = true; });
if (document.documentElement.scrollWidth > wide) found.push(`page is ${document.documentElement.scrollWidth} wide on ${wide}`);
let texts = 0, least = 99;
for (const svg of document.querySelectorAll("svg")) {
  const frame = box(svg), labels = [...svg.querySelectorAll("text")];
  for (const e of svg.querySelectorAll("text, rect, path")) {
    const b = box(e);
    if (b.l < frame.l - 1 || b.t < frame.t - 1 || b.r > frame.r + 1 || b.b > frame.b + 1)
      found.push(`${svg.querySelector("title").textContent}: ${e.tagName} '${said(e)}' leaves the picture`);
  }
  labels.forEach((e, i) => labels.slice(i + 1).forEach(f => {
    const a = box(e), b = box(f);
    if (Math.min(a.r, b.r) - Math.max(a.l, b.l) > 1 && Math.min(a.b, b.b) - Math.max(a.t, b.t) > 3)
      found.push(`${svg.querySelector("title").textContent}: '${said(e)}' touches '${said(f)}'`);
  }));
}
for (const e of document.querySelectorAll("h1,h2,h3,p,dt,dd,li,td,th,pre,summary,.figure,svg text")) {
  if (!e.textContent.trim()) continue;
  texts += 1;
  least = Math.min(least, contrast(e));
  if (contrast(e) < 4.5) found.push(`'${said(e)}' has a contrast of ${contrast(e).toFixed(2)}`);
  if (e instanceof SVGElement) continue;
  if (!e.closest(".wide") && (box(e).r > wide + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline"))
    found.push(`'${said(e)}' is cut off`);
}
for (const card of document.querySelectorAll(".card, section")) for (const next of [card.nextElementSibling]) {
  if (next && box(card).b > box(next).t + 1 && box(card).r > box(next).l + 1 && box(card).l < box(next).r - 1)
    found.push(`'${said(card)}' lies over '${said(next)}'`);
}
parent.document.title = JSON.stringify({wide, texts, least: Math.round(100 * least) / 100, found});
