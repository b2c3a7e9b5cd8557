/* The output of a run: loads views of it, follows its end, searches it. The server makes the HTML of the lines. */
"use strict";

(function () {
    const root = document.querySelector("[data-output]");
    if (!root) { return; }
    const MOST = 6000; // lines kept in the page
    const JOINED = 1000; // lines in one part, when new ones arrive
    const NEAR = 400; // pixels from an end at which the next view is loaded
    const END = 30; // pixels from the end that still count as the end
    const TIMEOUT = 8000; // milliseconds
    const WAITS = [1000, 2000, 4000, 8000, 16000]; // milliseconds before the next tries of a request that failed
    const box = root.querySelector(".ops-lines"), hint = root.querySelector("[data-hint]");
    const notice = root.querySelector("[data-notice]"), amount = root.querySelector("[data-amount]");
    const field = root.querySelector("input[type=search]"), count = root.querySelector("output");
    const toggles = Object.fromEntries([...root.querySelectorAll("[data-toggle]")].map(each => [each.dataset.toggle, each]));
    let grows = root.dataset.grows !== undefined, lastOpen = "";

    /* -- the server ---------------------------------------------------------------------------------------- */

    async function ask(query) {
        const response = await fetch(`${root.dataset.outputUrl}?${new URLSearchParams(query)}`, {credentials: "same-origin",
            headers: {Accept: "application/json"}, signal: AbortSignal.timeout(TIMEOUT)});
        if (!response.ok) { throw new Error(response.statusText); }
        return response.json();
    }

    /* Requests wait for each other. `query()` is called for each try; without a query nothing is requested. */
    let turn = Promise.resolve(), newest = 0, wake = () => {};
    function load(query, use) {
        const mine = newest += 1;
        wake(); // a request that waits for its next try ends
        turn = turn.then(() => request(query, use, () => mine === newest));
        return turn;
    }

    /* Show it when the server does not answer, and try again. */
    async function request(query, use, isNewest) {
        for (const wait of [...WAITS, 0]) {
            const asked = query();
            if (!asked) { return; }
            try {
                use(await ask(asked));
                notice.hidden = true;
                return;
            } catch {
                notice.textContent = root.dataset.failed;
                notice.hidden = false;
            }
            if (wait && isNewest()) { await new Promise(resolve => { wake = resolve; setTimeout(resolve, wait); }); }
            if (!isNewest()) { return; }
        }
    }

    /* -- parts: consecutive lines, with the places at their ends --------------------------------------------- */

    function part(answer) {
        const made = document.createElement("div");
        made.className = "ops-part";
        made.innerHTML = answer.html; // escaped by the server
        made.dataset.before = answer.before;
        made.dataset.after = answer.after;
        made.toggleAttribute("data-more-before", answer.more_before);
        made.toggleAttribute("data-more-after", answer.more_after);
        return made;
    }

    const first = () => box.firstElementChild, last = () => box.lastElementChild;
    const lines = () => box.querySelectorAll(".l").length;
    const hasMore = edge => (edge === "before" ? first() : last())?.hasAttribute(`data-more-${edge}`) ?? false;

    function replaceAll(answer) {
        box.replaceChildren(part(answer));
        lastOpen = "";
        refresh(answer);
        const target = answer.target && document.getElementById(`L${answer.target}`);
        if (target) { show(target); }
        return target;
    }

    function show(line) {
        setFollow(false);
        root.querySelectorAll(".hit").forEach(each => each.classList.remove("hit"));
        line.classList.add("hit");
        line.scrollIntoView({block: "center"});
    }

    function prepend(answer) {
        const height = box.scrollHeight, made = part(answer);
        box.prepend(made);
        box.scrollTop += box.scrollHeight - height;
        while (lines() > MOST && last() !== made) { last().remove(); }
        if (last()) { last().toggleAttribute("data-more-after", last() !== made || answer.more_after); }
        refresh(answer);
    }

    /* Lines without an end are sent again with each answer. */
    function append(answer) {
        if (!answer.html.includes("data-open") || answer.html !== lastOpen) {
            box.querySelectorAll("[data-open]").forEach(line => line.remove());
            const made = part(answer), end = last();
            if (end && end.childElementCount < JOINED) {
                end.append(...made.childNodes);
                end.dataset.after = answer.after;
                end.toggleAttribute("data-more-after", answer.more_after);
            } else {
                box.append(made);
            }
            lastOpen = answer.html;
        }
        while (lines() > MOST && first() !== last()) {
            first().remove();
            first().toggleAttribute("data-more-before", true);
        }
        refresh(answer);
    }

    function refresh(answer) {
        for (const edge of ["before", "after"]) {
            const row = root.querySelector(`[data-edge="${edge}"]`);
            row.hidden = !hasMore(edge);
        }
        hint.hidden = Boolean(box.querySelector(".l"));
        if (answer?.amount) { amount.textContent = answer.amount; }
        if (isFollowing()) { toEnd(); }
    }

    const pending = new Set(); // edges at which a request for more lines waits or runs

    async function more(edge) {
        if (!hasMore(edge) || pending.has(edge)) { return; }
        pending.add(edge);
        await load(() => hasMore(edge) && {[edge]: (edge === "before" ? first() : last()).dataset[edge]},
            edge === "before" ? prepend : append);
        pending.delete(edge);
    }

    /* -- following --------------------------------------------------------------------------------------------- */

    const isFollowing = () => toggles.follow.getAttribute("aria-pressed") === "true";
    const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < END;
    const setFollow = on => toggles.follow.setAttribute("aria-pressed", String(on));
    const toEnd = () => { box.scrollTop = box.scrollHeight; };

    /* New lines come with the refresh of the page. They are dropped if another view was loaded meanwhile. */
    let asked = "";

    document.addEventListener("ops:ask", event => {
        asked = grows && !hasMore("after") ? last()?.dataset.after ?? "" : "";
        if (asked) { event.detail.set("_after", asked); }
    });

    document.addEventListener("ops:answer", event => {
        const answer = event.detail.output;
        if (!answer || hasMore("after") || last()?.dataset.after !== asked) { return; }
        append(answer);
        if (!answer.open) { settle(); }
    });

    /* Output in the pipes is stored after the end of the run: ask for two more minutes. */
    let settles = false;
    function settle() {
        if (!settles) {
            settles = true;
            setTimeout(() => { grows = false; }, 120000);
        }
    }

    /* -- search ------------------------------------------------------------------------------------------------ */

    let hits = [], at = -1, searched = "", search = 0;

    async function find() {
        const text = field.value, mine = search += 1;
        hits = [];
        at = -1;
        searched = text;
        count.textContent = text ? root.dataset.searching : "";
        root.querySelectorAll(".hit").forEach(each => each.classList.remove("hit"));
        for (let from = "-1.-1.-1"; text && from;) {
            let answer;
            try {
                answer = await ask({q: text, from});
            } catch {
                count.textContent = root.dataset.failed;
                return;
            }
            if (mine !== search) { return; } // another search began
            hits.push(...answer.numbers);
            from = answer.next;
            if (at < 0 && hits.length) { next(1); } else { tell(Boolean(from)); }
        }
        tell(false);
    }

    function tell(goesOn) {
        if (!hits.length) {
            count.textContent = searched ? (goesOn ? root.dataset.searching : root.dataset.none) : "";
            return;
        }
        count.textContent = root.dataset.of.replace("{n}", at + 1).replace("{all}", `${hits.length}${goesOn ? "+" : ""}`);
    }

    async function next(direction) {
        if (field.value !== searched) { await find(); return; }
        if (!hits.length) { return; }
        at = (at + direction + hits.length) % hits.length;
        tell(false);
        await go(hits[at]);
    }

    async function go(number) {
        const line = document.getElementById(`L${number}`);
        if (line) { show(line); } else { await load(() => ({at: number}), replaceAll); }
    }

    /* -- what people press ------------------------------------------------------------------------------------- */

    const jumps = {
        next: () => next(1),
        prev: () => next(-1),
        start: () => { setFollow(false); load(() => ({at: "start"}), answer => { replaceAll(answer); box.scrollTop = 0; }); },
        end: () => load(() => ({at: "end"}), answer => { setFollow(true); replaceAll(answer); toEnd(); }),
        error: () => load(() => ({at: "error"}), answer => {
            if (answer.target) { setFollow(false); replaceAll(answer); } else { count.textContent = root.dataset.noError; }
        }),
    };

    function toggle(name) {
        const button = toggles[name], on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        if (name === "follow") {
            if (on) { if (hasMore("after")) { jumps.end(); } else { toEnd(); } }
            return;
        }
        box.classList.toggle(name, on);
        if (name === "erronly" && on && !box.querySelector('.l[data-s="err"]')) { jumps.error(); }
    }

    document.addEventListener("click", event => {
        const pressed = event.target.closest("[data-jump], [data-more], [data-toggle]");
        if (!pressed || event.ctrlKey || event.metaKey || !(root.contains(pressed) || pressed.dataset.jump)) { return; }
        event.preventDefault();
        if (pressed.dataset.toggle) { toggle(pressed.dataset.toggle); }
        if (pressed.dataset.more) { more(pressed.dataset.more); }
        if (pressed.dataset.jump) {
            jumps[pressed.dataset.jump]();
            if (!root.contains(pressed)) { root.scrollIntoView(); }
        }
    });
    const keys = {t: "times", e: "erronly", w: "nowrap", f: "follow"};
    document.addEventListener("ops:key", event => {
        if (keys[event.detail]) { toggle(keys[event.detail]); }
        if (event.detail === "n") { next(1); }
        if (event.detail === "p") { next(-1); }
    });
    let pause = null;
    field.addEventListener("input", () => {
        clearTimeout(pause);
        pause = setTimeout(find, 400);
    });
    field.form.addEventListener("submit", event => { event.preventDefault(); });
    field.addEventListener("keydown", event => {
        if (event.key === "Enter") {
            event.preventDefault();
            clearTimeout(pause);
            next(event.shiftKey ? -1 : 1);
        }
    });
    box.addEventListener("scroll", () => {
        setFollow(isAtEnd() && !hasMore("after"));
        if (box.scrollTop < NEAR) { more("before"); }
        if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) { more("after"); }
    });
    window.addEventListener("hashchange", openLinked);

    function openLinked() {
        const number = /^#L(\d+)$/.exec(location.hash)?.[1];
        if (number) { go(Number(number)); }
        return Boolean(number);
    }

    root.querySelectorAll("[data-script]").forEach(each => { each.hidden = false; });
    setFollow(!root.dataset.target && !hasMore("after"));
    refresh(null);
    const target = root.dataset.target && document.getElementById(`L${root.dataset.target}`);
    if (target) { show(target); } else if (!openLinked() && isFollowing()) { toEnd(); }
})();
