/* The field for a job's command: a combobox with a list grouped by app, and the help and options of the chosen command
   beside the arguments. Without this script the browser suggests the same names. */
"use strict";

(function () {
    const TIMEOUT = 10000; // milliseconds until a request without a response counts as failed
    const DELAY = 400; // milliseconds after the last key

    function element(tag, className, text) {
        const made = document.createElement(tag);
        made.className = className;
        if (text !== undefined) {
            made.textContent = text;
        }
        return made;
    }

    /* The pattern “editable combobox with list autocomplete”: the focus stays in the field, arrows move in the list. */
    class Combobox {
        constructor(box) {
            this.field = box.querySelector("input");
            this.offers = [...box.querySelectorAll("option")].map(({value, dataset}) =>
                ({value, ...dataset, searched: `${value} ${dataset.app} ${dataset.help}`.toLowerCase()}));
            this.none = box.dataset.none;
            this.options = [];
            this.active = -1;
            this.list = element("div", "chroniker-offers");
            this.list.id = "chroniker-offers";
            this.list.setAttribute("role", "listbox");
            this.list.setAttribute("aria-label", box.dataset.label);
            this.status = element("div", "chroniker-offers-none", "");
            this.status.setAttribute("role", "status");
            box.append(this.list, this.status);
            this.field.removeAttribute("list");
            for (const [name, value] of Object.entries({role: "combobox", "aria-autocomplete": "list",
                "aria-controls": this.list.id, "aria-haspopup": "listbox"})) {
                this.field.setAttribute(name, value);
            }
            this.close();
            this.listen();
        }

        listen() {
            this.field.addEventListener("input", event => event.isTrusted && this.open(this.field.value));
            this.field.addEventListener("click", () => this.list.hidden ? this.open("") : this.close());
            this.field.addEventListener("blur", () => this.close());
            this.field.addEventListener("keydown", event => this.key(event));
            this.list.addEventListener("mousedown", event => event.preventDefault()); // the field keeps the focus
            this.list.addEventListener("click", event => {
                const option = event.target.closest('[role="option"]');
                if (option) {
                    this.choose(option);
                }
            });
        }

        key(event) {
            const steps = {ArrowDown: 1, ArrowUp: -1};
            if (event.key in steps && !event.ctrlKey && !event.metaKey) {
                event.preventDefault();
                if (this.list.hidden) {
                    this.open("");
                }
                if (!event.altKey) {
                    this.move(steps[event.key]);
                }
            } else if (event.key === "Enter" && this.active >= 0) {
                event.preventDefault(); // selects the option and does not submit the form
                this.choose(this.options[this.active]);
            } else if (event.key === "Escape" && !this.list.hidden) {
                event.preventDefault();
                this.close();
            }
        }

        /* Show the commands that contain each word of `text`, grouped by app. An empty text shows all, at the current one. */
        open(text) {
            const words = text.toLowerCase().split(/\s+/);
            const found = this.offers.filter(offer => words.every(word => offer.searched.includes(word)));
            const groups = new Map();
            for (const offer of found) {
                groups.set(offer.app, [...(groups.get(offer.app) || []), offer]);
            }
            this.list.replaceChildren(...[...groups].map(([app, offers], number) => this.group(app, offers, number)));
            this.options = [...this.list.querySelectorAll('[role="option"]')];
            this.list.hidden = !found.length;
            this.status.textContent = found.length ? "" : this.none;
            this.field.setAttribute("aria-expanded", String(!this.list.hidden));
            this.mark(text ? -1 : this.options.findIndex(option => option.dataset.value === this.field.value));
        }

        group(app, offers, number) {
            const made = element("div", ""), head = element("div", "chroniker-offers-app", app);
            head.id = `chroniker-offers-app-${number}`;
            made.setAttribute("role", "group");
            made.setAttribute("aria-labelledby", head.id);
            made.append(head, ...offers.map(offer => this.option(offer)));
            return made;
        }

        option(offer) {
            const made = element("div", "");
            made.id = `chroniker-offer-${offer.value}`;
            made.dataset.value = offer.value;
            made.setAttribute("role", "option");
            made.setAttribute("aria-selected", "false");
            made.append(element("span", "", offer.value), " ", element("small", "", offer.help));
            return made;
        }

        move(step) {
            const count = this.options.length;
            if (count) {
                this.mark(this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count);
            }
        }

        mark(number) {
            this.options.forEach((option, at) => option.setAttribute("aria-selected", String(at === number)));
            this.active = number;
            if (number < 0) {
                this.field.removeAttribute("aria-activedescendant");
            } else {
                this.field.setAttribute("aria-activedescendant", this.options[number].id);
                this.options[number].scrollIntoView({block: "nearest"});
            }
        }

        choose(option) {
            this.field.value = option.dataset.value;
            this.close();
            this.field.dispatchEvent(new Event("change", {bubbles: true}));
        }

        close() {
            this.list.hidden = true;
            this.status.textContent = "";
            this.field.setAttribute("aria-expanded", "false");
            this.mark(-1);
        }
    }

    function definitions(options) {
        const list = element("dl", "");
        for (const option of options) {
            const term = element("dt", ""), meaning = element("dd", "", option.help);
            term.append(element("code", "", option.names));
            if (option.note) {
                meaning.append(" ", element("small", "", `(${option.note})`));
            }
            list.append(term, meaning);
        }
        return list;
    }

    function folded(title, options, open) {
        const made = element("details", ""), summary = element("summary", "", title);
        made.open = open;
        made.append(summary, definitions(options));
        return options.length ? [made] : [];
    }

    function render(box, answer) {
        if (answer.error) {
            return [element("p", "chroniker-error", answer.error)];
        }
        const [own, common] = [false, true].map(wanted => answer.options.filter(option => option.common === wanted));
        return [...(answer.help ? [element("p", "", answer.help)] : []),
            ...folded(box.dataset.options, own, true), ...folded(box.dataset.common, common, false)];
    }

    /* The answer as JSON; a refusal is an answer with the reason as `error`. Throws if there is none in time. */
    async function ask(url) {
        const response = await fetch(url, {headers: {Accept: "application/json"}, credentials: "same-origin",
            signal: AbortSignal.timeout(TIMEOUT)});
        return response.json();
    }

    /* Requests one command at a time: the server imports its code for the response. */
    function watch(field, box) {
        let timer = null, shown = "", requests = 0;

        async function refresh() {
            const name = field.value.trim(), mine = ++requests;
            if (name === shown) {
                return;
            }
            shown = name;
            const answer = name && await ask(`${box.dataset.url}?${new URLSearchParams({name})}`)
                .catch(() => ({error: box.dataset.failed}));
            if (mine === requests) { // the response to an older request may arrive later
                box.replaceChildren(...(answer ? render(box, answer) : []));
            }
        }

        function soon() {
            clearTimeout(timer);
            timer = setTimeout(refresh, DELAY);
        }
        // Only on change: a name that is still being typed is not a command yet.
        field.addEventListener("change", soon);
        refresh();
    }

    document.addEventListener("DOMContentLoaded", () => {
        const choice = document.querySelector(".chroniker-choice"), box = document.getElementById("chroniker-command");
        if (choice) {
            new Combobox(choice);
        }
        if (choice && box) {
            watch(choice.querySelector("input"), box);
        }
    });
})();
