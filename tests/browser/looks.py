"""Scripts that look at a page: what is hard to read, what is cut off."""

from __future__ import annotations

CONTRAST = """
const luminance = rgb => {
  const [r, g, b] = rgb.map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const parse = text => text.match(/[\\d.]+/g).map(Number);
const ground = element => {
  for (; element; element = element.parentElement) {
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour.slice(0, 3);
  }
  throw new Error("nothing is painted behind");
};
const found = [];
const add = (element, style) => {
  const one = luminance(parse(style.color).slice(0, 3)), two = luminance(ground(element));
  const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  found.push([element.tagName + "." + element.className, Math.round(ratio * 100) / 100]);
};
for (const element of document.body.querySelectorAll("*")) {
  const text = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (text || element.tagName === "INPUT") add(element, getComputedStyle(element));
}
return found;
"""


OVERFLOW = """
const wide = document.documentElement.clientWidth;
const out = [...document.body.querySelectorAll("*")].filter(e => e.tagName !== "BDI"
  && (e.getBoundingClientRect().right > wide + 1 || e.getBoundingClientRect().left < -1));
return [document.documentElement.scrollWidth - wide, out.map(e => e.tagName)];
"""
