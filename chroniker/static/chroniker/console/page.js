/* Small aids on every page: menus that close, a read-out for pictures, areas that scroll, relative times, questions. */
"use strict";

(function () {
    const all = (selector, root = document) => [...root.querySelectorAll(selector)];

    /* An open menu closes on Escape and on a click elsewhere. */
    document.addEventListener("click", event => {
        all("details.ops-menu[open]").forEach(menu => { if (!menu.contains(event.target)) { menu.open = false; } });
    });
    document.addEventListener("keydown", event => {
        if (event.key === "Escape") {
            all("details.ops-menu[open]").forEach(menu => { menu.open = false; menu.querySelector("summary").focus(); });
        }
    });

    /* `data-readout` is the id of the element that shows the `data-say` of the mark under the pointer. */
    const rest = new Map();

    function read(event) {
        const plot = event.target.closest?.("[data-readout]"), out = plot && document.getElementById(plot.dataset.readout);
        if (!out) { return; }
        if (!rest.has(out)) { rest.set(out, out.textContent); }
        out.textContent = event.target.closest("[data-say]")?.dataset.say ?? rest.get(out);
    }

    function leave(event) {
        const plot = event.target.closest?.("[data-readout]");
        if (plot && !plot.contains(event.relatedTarget)) {
            const out = document.getElementById(plot.dataset.readout);
            if (rest.has(out)) { out.textContent = rest.get(out); }
        }
    }
    document.addEventListener("pointerover", read);
    document.addEventListener("focusin", read);
    document.addEventListener("pointerout", leave);

    /* An area gets a tab stop only while it scrolls. */
    const watch = new ResizeObserver(entries => entries.forEach(({target}) => {
        if (target.dataset.fixed === undefined) {
            const scrolls = target.scrollWidth > target.clientWidth && !target.classList.contains("menus");
            if (scrolls) { target.tabIndex = 0; } else { target.removeAttribute("tabindex"); }
        }
    }));

    function prepare(root) {
        all(".ops-scroll", root).forEach(area => {
            if (area.hasAttribute("tabindex")) { area.dataset.fixed = ""; }
            watch.observe(area);
        });
        all("[data-start-at]", root).forEach(box => {
            box.scrollLeft = box.scrollWidth * Number(box.dataset.startAt) - box.clientWidth / 2;
        });
    }
    document.addEventListener("ops:replaced", event => prepare(event.target));
    prepare(document);

    /* On a narrow screen the links of the pages scroll: the current one is in view. */
    const current = document.querySelector(".ops-pages [aria-current]");
    if (current) {
        const list = current.closest(".ops-pages"), left = current.getBoundingClientRect().left - list.getBoundingClientRect().left;
        list.scrollLeft += left - (list.clientWidth - current.offsetWidth) / 2;
    }

    /* A button with `data-confirm` asks first; without this script it acts at once. */
    document.addEventListener("click", event => {
        const button = event.target.closest("[data-confirm]");
        if (button && !window.confirm(button.dataset.confirm)) { event.preventDefault(); }
    });

    /* Relative times: the page has the words, as “{n} s ago” and so on; the clock is the server's. */
    const words = document.querySelector("[data-time-words]")?.dataset;
    const bar = document.querySelector("[data-now]");
    const skew = bar ? Date.parse(bar.dataset.now) - Date.now() : 0;

    function coarse(seconds) {
        for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
            if (seconds >= size) { return words[unit].replace("{n}", Math.floor(seconds / size)); }
        }
        return words.s.replace("{n}", Math.floor(seconds));
    }

    function exact(seconds) { // as formats.short_duration
        const pair = (large, size, first, second) => {
            const rest = large % size, whole = words[first].replace("{n}", Math.floor(large / size));
            return rest ? `${whole} ${words[second].replace("{n}", rest)}` : whole;
        };
        if (seconds < 60) { return words.s.replace("{n}", Math.floor(seconds)); }
        if (seconds < 600) { return pair(Math.floor(seconds), 60, "min", "s"); }
        const minutes = Math.round(seconds / 60);
        if (minutes < 60) { return words.min.replace("{n}", minutes); }
        return minutes < 1440 ? pair(minutes, 60, "h", "min") : pair(Math.round(minutes / 60), 24, "d", "h");
    }

    function count() {
        if (document.hidden || !words) { return; }
        const now = Date.now() + skew;
        for (const time of all("time[data-rel], time[data-elapsed]")) {
            const seconds = (now - Date.parse(time.dateTime)) / 1000;
            const text = time.dataset.elapsed !== undefined ? exact(Math.max(seconds, 0))
                : seconds >= 0 ? words.ago.replace("{time}", coarse(seconds)) : words.in.replace("{time}", coarse(-seconds));
            if (time.textContent !== text) { time.textContent = text; }
        }
    }
    setInterval(count, 1000);
})();
