/* The job's form: shows the fields of the chosen frequency, and the server's preview of the edit before it is saved. */
"use strict";

(function () {
    const RULES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
    const USED_BY = {
        cron: ["CRON"], params: RULES, run_at: ["ONCE"],
        dst_gap: ["CRON", ...RULES], dst_fold: ["CRON", ...RULES],
        starts_at: ["CRON", "ONCE", ...RULES], ends_at: ["CRON", "ONCE", ...RULES],
        jitter_seconds: ["CRON", "ONCE", ...RULES], calendar: ["CRON", "ONCE", ...RULES],
    };
    const NAMES = ["frequency", "cron", "params", "run_at_0", "run_at_1", "starts_at_0", "starts_at_1", "ends_at_0",
        "ends_at_1", "timezone", "dst_gap", "dst_fold", "jitter_seconds", "calendar", "overlap", "catch_up", "group"];
    const LINE = ["command", "args", "raw_command"], LONGEST = 2000;
    const DELAY = 400; // milliseconds after the last key
    const TIMEOUT = 8000; // milliseconds until a request without a response counts as failed

    function showFields(form) {
        for (const [name, frequencies] of Object.entries(USED_BY)) {
            for (const row of form.querySelectorAll(`.form-row.field-${name}`)) {
                row.hidden = !frequencies.includes(form.elements.frequency.value) && !row.querySelector(".errorlist");
            }
        }
    }

    function queryOf(form, preview) {
        const values = NAMES.filter(name => form.elements[name]).map(name => [name, form.elements[name].value]);
        const line = LINE.filter(name => form.elements[name]).map(name => [name, form.elements[name].value]);
        if (line.some(([, text]) => text.includes("{{")) && line.every(([, text]) => text.length < LONGEST)) {
            values.push(...line);
        }
        if (preview.dataset.job) {
            values.push(["job", preview.dataset.job]);
        }
        if (form.elements.enabled) {
            values.push(["has_enabled", "1"]);
            if (form.elements.enabled.checked) {
                values.push(["enabled", "1"]);
            }
        }
        return new URLSearchParams(values).toString();
    }

    async function ask(url, signal) {
        const response = await fetch(url, {headers: {Accept: "application/json"}, credentials: "same-origin",
            signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)])});
        const answer = await response.json();
        if (!response.ok) {
            throw Object.assign(new Error(answer.error || response.statusText), {isFinal: true});
        }
        return answer;
    }

    function fail(preview, text) {
        const note = document.createElement("p");
        note.className = "ops-say";
        note.dataset.tone = "wait";
        note.textContent = text;
        preview.prepend(note);
    }

    document.addEventListener("DOMContentLoaded", () => {
        const form = document.getElementById("job_form"), preview = document.getElementById("edit-preview");
        if (!form || !preview || !form.elements.frequency && !form.elements.enabled) {
            return;
        }
        form.querySelector('[name="_preview"]')?.remove(); // the script asks by itself
        let timer = null, shown = queryOf(form, preview), running = new AbortController();

        async function refresh() {
            const query = queryOf(form, preview);
            if (query === shown) {
                return;
            }
            shown = query;
            running.abort(); // the response to an older request is of no use
            const mine = running = new AbortController();
            try {
                const answer = await ask(`${preview.dataset.url}?${query}`, mine.signal);
                for (const [id, html] of Object.entries(answer.html)) {
                    document.getElementById(id).innerHTML = html; // made by the server's templates
                }
            } catch (error) {
                if (!mine.signal.aborted) {
                    shown = "";
                    fail(preview, error.isFinal ? error.message : preview.dataset.failed);
                }
            }
        }

        function changed(event) {
            if ([...NAMES, ...LINE, "enabled"].includes(event.target.name)) {
                if (form.elements.frequency) {
                    showFields(form);
                }
                clearTimeout(timer);
                timer = setTimeout(refresh, DELAY);
            }
        }
        // "focusout" too: the calendar and clock of the admin set values without an event.
        for (const kind of ["input", "change", "focusout"]) {
            form.addEventListener(kind, changed);
        }
        if (form.elements.frequency) {
            showFields(form);
        }
        if (!preview.dataset.job && form.elements.cron?.value) { // a clone: the form is filled in
            shown = "";
            refresh();
        }
    });
})();
