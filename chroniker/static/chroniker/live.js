/* Refreshes what a page shows every few seconds. Does nothing while the tab is hidden. */
"use strict";

(function () {
    const SLOWEST = 60; // seconds between two requests while requests fail
    const TIMEOUT = 10000; // milliseconds until a request without a response counts as failed

    /* Request JSON. Throws if there is no response in time; with `final` set if another request would be refused too. */
    async function ask(url) {
        const response = await fetch(url, {headers: {Accept: "application/json"}, credentials: "same-origin",
            signal: AbortSignal.timeout(TIMEOUT)});
        if (response.status === 403 || response.status === 404) {
            const answer = await response.json().catch(() => ({}));
            throw Object.assign(new Error(answer.error || response.statusText), {final: true});
        }
        if (!response.ok) {
            throw new Error(response.statusText);
        }
        return response.json();
    }

    /* Call `step` every `seconds` until it returns false or a request is refused; at longer intervals while it fails. */
    function poll(seconds, step, notice, failed) {
        let wait = seconds, timer = null, busy = false;

        async function once() {
            if (busy || document.hidden) {
                return;
            }
            clearTimeout(timer);
            busy = true;
            let more = true;
            try {
                more = await step() !== false;
                wait = seconds;
                tell(notice, "");
            } catch (error) {
                more = !error.final;
                wait = Math.min(wait * 2, SLOWEST);
                tell(notice, error.final ? error.message : failed);
            }
            busy = false;
            if (more) {
                timer = setTimeout(once, wait * 1000);
            } else {
                document.removeEventListener("visibilitychange", once);
            }
        }
        document.addEventListener("visibilitychange", once);
        return once;
    }

    function tell(notice, text) {
        if (notice && notice.textContent !== text) {
            notice.textContent = text;
            notice.hidden = !text;
        }
    }

    function part(cell, name, change) {
        const found = cell.querySelector(`[data-part="${name}"]`);
        if (found) {
            change(found);
        }
    }

    /* Write only what differs: a screen reader announces every change of a status. */
    function setText(element, text) {
        if (element.textContent !== text) {
            element.textContent = text;
        }
    }

    function show(cells) {
        for (const [name, value] of Object.entries(cells)) {
            for (const cell of document.querySelectorAll(`[data-cell="${CSS.escape(name)}"]`)) {
                fill(cell, value);
            }
        }
    }

    function fill(cell, value) {
        cell.dataset.kind = value.kind;
        part(cell, "text", element => setText(element, value.text));
        part(cell, "note", element => setText(element, value.note));
        part(cell, "progress", element => {
            element.hidden = !value.total;
            element.max = value.total || 1;
            element.value = value.done || 0;
        });
    }

    /* `data-when-open` and `data-when-idle` hold the id of a job, or "run". */
    function showButtons(isOpen) {
        for (const button of document.querySelectorAll("[data-when-open]")) {
            button.hidden = !isOpen(button.dataset.whenOpen);
        }
        for (const button of document.querySelectorAll("[data-when-idle]")) {
            button.hidden = isOpen(button.dataset.whenIdle);
        }
    }

    const latest = {};

    /* Rows of a table; each is a list of cells, of which the first is the row's head. */
    function showRows(name, rows) {
        const table = document.querySelector(`[data-rows="${name}"] tbody`), now = JSON.stringify(rows);
        if (!table || !rows || !rows.length || now === latest[name]) {
            return;
        }
        latest[name] = now;
        table.replaceChildren(...rows.map(cells => {
            const row = document.createElement("tr");
            row.append(...cells.map((value, index) => tableCell(index ? "td" : "th", value)));
            return row;
        }));
    }

    function tableCell(tag, value) {
        const data = document.createElement(tag), cell = document.createElement("span");
        const text = document.createElement(value.url ? "a" : "span"), note = document.createElement("small");
        if (tag === "th") {
            data.scope = "row";
        }
        if (value.url) {
            text.href = value.url;
        }
        cell.className = "chroniker-cell";
        text.dataset.part = "text";
        note.dataset.part = "note";
        cell.append(text, note);
        fill(cell, value);
        data.append(cell);
        return data;
    }

    function runRow(run) {
        return [{text: `#${run.token}`, url: run.url, kind: "", note: ""}, ...run.cells];
    }

    function start() {
        const notice = document.querySelector(".chroniker-notice[data-live-url]");
        if (notice) {
            const again = poll(5, async () => {
                const answer = await ask(notice.dataset.liveUrl);
                show(answer.cells);
                showRows("runs", answer.runs && answer.runs.map(runRow));
                showRows("instants", answer.ledger);
                if (answer.open) {
                    showButtons(id => answer.open.includes(Number(id)));
                }
            }, notice, notice.dataset.failed);
            setTimeout(again, 2000);
        }
        document.addEventListener("click", event => {
            const button = event.target.closest("[data-confirm]");
            if (button && !window.confirm(button.dataset.confirm)) {
                event.preventDefault();
            }
        });
    }

    window.chroniker = {ask, poll, show, showButtons, setText};
    document.addEventListener("DOMContentLoaded", start);
})();
