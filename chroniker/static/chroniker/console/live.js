/* Refreshes the fragments of a page. Asks the page's own address, sleeps in a hidden tab, and slows down on errors. */
"use strict";

(function () {
    const source = document.querySelector("[data-live-url]"), notice = document.getElementById("ops-stale");
    if (!source) { return; }
    const TIMEOUT = 8000; // milliseconds
    const SLOWER = [10, 20, 40, 60]; // seconds between requests while they fail
    const updated = source.querySelector("[data-updated]");
    let seconds = Number(source.dataset.liveSeconds) || 5, etag = "", failures = 0, timer = null, busy = false, last = clock();
    const pending = new Map(); // table bodies whose rows wait until nobody is in the table

    /* The HTML as the browser writes it, without texts that change by themselves. */
    function normal(root) {
        const copy = root.cloneNode(true);
        copy.querySelectorAll("time[data-rel], time[data-elapsed]").forEach(time => { time.textContent = ""; });
        const box = document.createElement("div");
        box.append(copy);
        return box.innerHTML;
    }

    function parse(html) {
        const template = document.createElement("template");
        template.innerHTML = html;
        return template.content;
    }

    function content(element) {
        return parse(element.innerHTML);
    }

    const seen = {}; // id -> what the server sent last, or what the page had at its start

    /* Where an element is below a root, as the numbers of the children. */
    function path(root, element) {
        const steps = [];
        for (let at = element; at && at !== root; at = at.parentElement) {
            steps.unshift([...at.parentElement.children].indexOf(at));
        }
        return steps;
    }

    function follow(root, steps) {
        return steps.reduce((at, step) => at?.children[step], root);
    }

    /* Replace the content; focus, open menus and scroll positions stay. */
    function replace(element, fresh) {
        const active = element.contains(document.activeElement) ? document.activeElement : null;
        const focus = active && path(element, active), tag = active?.tagName;
        const open = [...element.querySelectorAll("details[open]")].map(each => path(element, each));
        const checked = [...element.querySelectorAll("input[type=checkbox]:checked")].map(each => each.value);
        const scrolls = [...element.querySelectorAll(".ops-scroll")]
            .map(each => [path(element, each), each.scrollLeft, each.scrollTop]);
        element.replaceChildren(fresh);
        open.forEach(steps => { const found = follow(element, steps); if (found?.tagName === "DETAILS") { found.open = true; } });
        element.querySelectorAll("input[type=checkbox]").forEach(each => { each.checked = checked.includes(each.value); });
        scrolls.forEach(([steps, left, top]) => { const found = follow(element, steps); found?.scrollTo(left, top); });
        const target = focus && follow(element, focus);
        if (target && target.tagName === tag) { target.focus({preventScroll: true}); }
        element.dispatchEvent(new CustomEvent("ops:replaced", {bubbles: true}));
    }

    function isInUse(table) {
        return table.matches(":hover") || table.contains(document.activeElement);
    }

    /* While a person is in a table, its rows change in place; new, removed and reordered rows wait. */
    function replaceRows(table, fresh) {
        const now = [...table.querySelectorAll("tr[data-key]")], next = [...fresh.querySelectorAll("tr[data-key]")];
        const byKey = new Map(next.map(row => [row.dataset.key, row]));
        for (const row of now) {
            const other = byKey.get(row.dataset.key);
            if (other && normal(row) !== normal(other)) { replace(row, fragmentOf(other.cloneNode(true))); }
        }
        return now.length === next.length && now.every((row, index) => row.dataset.key === next[index].dataset.key);
    }

    function fragmentOf(row) {
        const fragment = document.createDocumentFragment();
        fragment.append(...row.childNodes);
        return fragment;
    }

    function put(id, html) {
        const element = document.getElementById(id);
        if (!element) { return; }
        const fresh = parse(html), text = normal(fresh);
        if (seen[id] === undefined) { seen[id] = normal(content(element)); }
        if (seen[id] === text) { return; }
        const table = element.querySelector("table:has(tr[data-key])");
        if (table && isInUse(table) && fresh.querySelector("tr[data-key]") && !replaceRows(table, fresh)) {
            pending.set(id, html);
            offer();
            return;
        }
        seen[id] = text;
        pending.delete(id);
        replace(element, fresh);
    }

    function offer() {
        if (!pending.size || failures > 1) { return; }
        const button = document.createElement("button");
        button.type = "button";
        button.className = "btn small";
        button.textContent = notice.dataset.changes;
        button.addEventListener("click", showPending);
        notice.replaceChildren(button);
        notice.hidden = false;
    }

    function showPending() {
        for (const [id, html] of [...pending]) {
            const fresh = parse(html);
            seen[id] = normal(fresh);
            replace(document.getElementById(id), fresh);
        }
        pending.clear();
        say("");
    }

    function say(text) {
        if (notice.textContent !== text) { notice.textContent = text; }
        notice.hidden = !text;
    }

    /* Other scripts of the page may add parameters: there is one request for the whole page. */
    function address() {
        const more = new URLSearchParams();
        document.dispatchEvent(new CustomEvent("ops:ask", {detail: more}));
        return `${source.dataset.liveUrl}${encodeURIComponent(etag)}${more.size ? "&" : ""}${more}`;
    }

    function clock() {
        return new Date().toLocaleTimeString(document.documentElement.lang || undefined, {hour12: false});
    }

    /* Whether to ask again. */
    async function ask() {
        const response = await fetch(address(), {credentials: "same-origin", redirect: "manual",
            headers: {Accept: "application/json"}, signal: AbortSignal.timeout(TIMEOUT)});
        if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) {
            say(notice.dataset.loggedOut);
            return false;
        }
        if (response.status !== 304) {
            if (!response.ok) { throw new Error(response.statusText); }
            const answer = await response.json();
            etag = answer.etag;
            seconds = answer.seconds || seconds;
            Object.entries(answer.html).forEach(([id, html]) => put(id, html));
            document.dispatchEvent(new CustomEvent("ops:answer", {detail: answer}));
        }
        last = clock();
        if (updated) { updated.textContent = last; }
        return true;
    }

    async function step() {
        clearTimeout(timer);
        if (busy || document.hidden) { return; }
        busy = true;
        let more = true;
        try {
            more = await ask();
            if (failures > 1) { say(""); }
            failures = 0;
            offer();
        } catch {
            failures += 1;
            if (failures === 2) { say(notice.dataset.late.replace("{time}", last)); }
        }
        busy = false;
        if (more) {
            timer = setTimeout(step, 1000 * (failures ? SLOWER[Math.min(failures, SLOWER.length) - 1] : seconds));
        } else {
            document.removeEventListener("visibilitychange", step);
        }
    }

    document.addEventListener("visibilitychange", step);
    window.addEventListener("focusout", () => setTimeout(() => {
        if (pending.size && [...pending.keys()].every(id => !isInUse(document.getElementById(id)))) { showPending(); }
    }));
    timer = setTimeout(step, seconds * 1000);
})();
