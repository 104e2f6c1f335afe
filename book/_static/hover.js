/* A hint where the pointer or the focus stays: a term's sentence from the glossary, a chapter's question
   and answer, what an interval in a table is. Escape closes it, the pointer may move onto it, and a touch
   does what it always does. */
"use strict";

(() => {
  const STATIC = new URL(".", document.currentScript.src);
  const DELAY = 250; // milliseconds until a hint comes, and until it goes
  const INTERVAL = "95 % interval of this estimate, by Student's t: a range that covers the true value in "
    + "95 of 100 such samples.";
  const FAMILY = "The interval that the verdict rests on, wider because the chapter has several claims.";
  let loading = null;
  let timer = 0;
  let shown = null; // the element that the hint is about

  const hint = document.createElement("div");
  hint.id = "hover-hint";
  hint.role = "tooltip";
  hint.hidden = true;

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL("hover-data.js", STATIC).href;
      script.onload = () => resolve(window.HINTS);
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  }

  /* ── What there is to say ────────────────────────────────────────────────────────────────── */

  /* The element that a hint could be about; null where there is none. */
  function about(element) {
    if (!element.closest?.("main")) return null;
    const link = element.closest("a[href]");
    if (link) return link.closest(".to-row, nav, .headerlink") ? null : link;
    return element.closest("td .below, table.data thead th");
  }

  function ofLink(link, { terms, chapters }) {
    const url = new URL(link.href);
    const page = url.pathname.split("/").pop().replace(/\.html$/, "");
    if (page === "glossary" && url.hash) return terms[decodeURIComponent(url.hash.slice(1))] ?? "";
    const here = window.location.pathname.endsWith(`/${page}.html`);
    return here ? "" : (chapters[page] ?? []).join("\n");
  }

  const hasInterval = (text) => /\[[^\]]*, [^\]]*\]/.test(text);

  function ofInterval(text) {
    if (!hasInterval(text)) return "";
    return text.includes("family-wise") ? FAMILY : INTERVAL;
  }

  /* A column's head speaks for its cells, which cannot be reached by keys. */
  function ofHead(head) {
    const cells = [...head.closest("table").tBodies].flatMap((body) => [...body.rows])
      .map((row) => row.cells[head.cellIndex]?.querySelector(".below")?.textContent ?? "");
    return cells.some((text) => text.startsWith("[")) ? `In brackets: the ${INTERVAL}` : "";
  }

  async function words(element) {
    if (element.tagName === "TH") return ofHead(element);
    if (element.tagName !== "A") return ofInterval(element.textContent);
    return ofLink(element, await load());
  }

  /* ── The hint ────────────────────────────────────────────────────────────────────────────── */

  function place(element) {
    const box = element.getClientRects()[0] ?? element.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    hint.style.left = `${Math.max(8, Math.min(box.left, width - hint.offsetWidth - 8))}px`;
    const below = box.bottom + 4;
    const fits = below + hint.offsetHeight < window.innerHeight;
    hint.style.top = `${fits ? below : Math.max(4, box.top - hint.offsetHeight - 4)}px`;
  }

  function hide() {
    shown?.removeAttribute("aria-describedby");
    shown = null;
    hint.hidden = true;
  }

  async function show(element) {
    const text = await words(element).catch(() => "");
    if (!text) return;
    hide();
    shown = element;
    hint.textContent = text;
    hint.hidden = false;
    element.setAttribute("aria-describedby", hint.id);
    place(element);
  }

  function soon(action, delay = DELAY) {
    clearTimeout(timer);
    timer = setTimeout(action, delay);
  }

  function over(event) {
    if (event.pointerType === "touch") return;
    if (hint.contains(event.target)) {
      clearTimeout(timer);
      return;
    }
    const element = about(event.target);
    if (element === shown) clearTimeout(timer);
    else if (element) soon(() => show(element));
    else if (shown) soon(hide);
    else clearTimeout(timer);
  }

  function focused(event) {
    const element = about(event.target);
    if (element && event.target.matches(":focus-visible")) show(element);
  }

  /* What has the focus keeps its hint, as the page scrolls to show it. */
  function scrolled() {
    if (shown && shown === document.activeElement) place(shown);
    else hide();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(hint);
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", focused);
    document.addEventListener("focusout", hide);
    document.addEventListener("keydown", (event) => event.key === "Escape" && soon(hide, 0));
    window.addEventListener("scroll", scrolled, { passive: true });
  });
})();
