/* The job's form: shows the fields of the chosen frequency, and a preview of the schedule before it is saved. */
"use strict";

(function () {
    const RULES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
    const USED_BY = {
        cron: ["CRON"], params: RULES, run_at: ["ONCE"],
        dst_gap: ["CRON", ...RULES], dst_fold: ["CRON", ...RULES],
    };
    const NAMES = ["frequency", "cron", "params", "run_at_0", "run_at_1", "starts_at_0", "starts_at_1", "ends_at_0",
        "ends_at_1", "timezone", "dst_gap", "dst_fold", "calendar"];
    const DELAY = 400; // milliseconds after the last key

    function showFields(form) {
        for (const [name, frequencies] of Object.entries(USED_BY)) {
            for (const row of form.querySelectorAll(`.form-row.field-${name}`)) {
                row.hidden = !frequencies.includes(form.elements.frequency.value) && !row.querySelector(".errorlist");
            }
        }
    }

    function list(tag, items) {
        const made = document.createElement(tag);
        made.className = "chroniker-instants";
        made.append(...items.map(text => line("li", "", text)));
        return made;
    }

    function line(tag, className, text) {
        const made = document.createElement(tag);
        made.className = className;
        made.textContent = text;
        return made;
    }

    function render(answer) {
        if (answer.error) {
            return [line("p", "chroniker-error", answer.error)];
        }
        return [line("p", "", answer.words), list("ol", answer.instants),
            ...answer.remarks.map(text => line("p", "chroniker-remark", text))];
    }

    document.addEventListener("DOMContentLoaded", () => {
        const form = document.getElementById("job_form"), preview = document.getElementById("chroniker-preview");
        if (!form || !preview || !form.elements.frequency) {
            return;
        }
        let timer = null, requests = 0, shown = "";

        async function refresh() {
            const values = NAMES.filter(name => form.elements[name]).map(name => [name, form.elements[name].value]);
            values.push(["is_new", preview.dataset.isNew], ["enabled", form.elements.enabled?.checked ? "1" : ""]);
            const query = new URLSearchParams(values), mine = ++requests;
            if (query.toString() === shown) {
                return;
            }
            shown = query.toString();
            const answer = await window.chroniker.ask(`${preview.dataset.url}?${query}`)
                .catch(error => ({error: error.final ? error.message : preview.dataset.failed}));
            if (mine === requests) { // the response to an older request may arrive later
                preview.replaceChildren(...render(answer));
            }
        }

        function changed(event) {
            if (NAMES.includes(event.target.name) || event.target.name === "enabled") {
                showFields(form);
                clearTimeout(timer);
                timer = setTimeout(refresh, DELAY);
            }
        }
        // "focusout" too: the calendar and clock of the admin set values without an event.
        for (const kind of ["input", "change", "focusout"]) {
            form.addEventListener(kind, changed);
        }
        showFields(form);
        if (document.querySelector(".errornote")) { // the form holds what was not saved
            refresh();
        }
    });
})();
