/* Single-key shortcuts. They can be switched off (WCAG 2.1.4), are ignored in fields, and only move or open. */
"use strict";

(function () {
    const keys = document.getElementById("ops-keys"), wanted = document.getElementById("ops-keys-on");
    let before = "", row = -1;

    function isOn() {
        try { return localStorage.getItem("ops.keys") !== "off"; } catch { return true; } // storage may be blocked
    }

    function remember() {
        try { localStorage.setItem("ops.keys", wanted.checked ? "on" : "off"); } catch { /* only for this page then */ }
    }

    function move(step) {
        const rows = [...document.querySelectorAll("tr[data-row], #result_list tbody tr")].filter(each => each.offsetParent);
        if (!rows.length) { return; }
        rows.forEach(each => each.classList.remove("on"));
        row = Math.max(0, Math.min(rows.length - 1, row + step));
        rows[row].classList.add("on");
        rows[row].querySelector("a")?.focus({preventScroll: true});
        rows[row].scrollIntoView({block: "nearest"});
    }

    const actions = {
        "?": () => keys?.showModal(),
        "/": () => document.querySelector("main input[type=search], #searchbar")?.focus(),
        j: () => move(1),
        k: () => move(-1),
    };

    function press(event) {
        const busy = event.target.closest("input, select, textarea, [contenteditable], dialog[open]");
        if (!isOn() || event.ctrlKey || event.metaKey || event.altKey || busy) { return; }
        const link = before === "g" && document.querySelector(`[data-pages] a[data-key="${CSS.escape(event.key)}"]`);
        before = event.key;
        if (link) {
            link.click();
        } else if (actions[event.key]) {
            actions[event.key]();
            event.preventDefault();
        } else {
            document.dispatchEvent(new CustomEvent("ops:key", {detail: event.key})); // a page may have keys of its own
        }
    }

    document.addEventListener("keydown", press);
    if (keys) {
        wanted.checked = isOn();
        wanted.addEventListener("change", remember);
        for (const button of document.querySelectorAll("[data-open-keys]")) {
            button.hidden = false;
            button.addEventListener("click", () => keys.showModal());
        }
    }
})();
