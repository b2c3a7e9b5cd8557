/* The choice “What does it run?” in the form of a job. It fills in the fields of the command, the arguments and the raw
   command, which are what the form sends. Without this script these fields are shown as they are. */
"use strict";

(function () {
    const PARTS = ["name", "args", "kwargs", "others"];

    function element(tag, attributes, ...children) {
        const made = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            made.setAttribute(name, value);
        }
        made.append(...children);
        return made;
    }

    /* A word of a command line, as a shell reads it. */
    function quoted(word) {
        return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
    }

    function line({name, args, kwargs, others}) {
        const words = [name && quoted(name)];
        words.push(args && `--args ${quoted(args)}`, kwargs && `--kwargs ${quoted(kwargs)}`, others);
        return words.filter(Boolean).join(" ");
    }

    /* The rows of one picker: a name with suggestions and three fields, which write the job's command and arguments. */
    class Picker {
        constructor(data, form, url) {
            Object.assign(this, {data, form, url, offers: [], id: `pick-${data.command}`});
            this.inputs = Object.fromEntries(PARTS.map(part => [part, this.input(part)]));
            this.help = element("div", {class: "help", role: "status", id: `${this.id}-help`});
            this.list = element("datalist", {id: `${this.id}-offers`});
            this.inputs.name.setAttribute("list", this.list.id);
            this.inputs.name.setAttribute("aria-describedby", this.help.id);
            this.rows = PARTS.map(part => this.row(part));
            for (const [part, input] of Object.entries(this.inputs)) {
                input.value = data.call[part];
                input.addEventListener("input", () => this.write());
            }
        }

        input(part) {
            const kind = part === "args" || part === "kwargs" ? "textarea" : "input";
            return element(kind, {id: `${this.id}-${part}`, class: "vTextField", autocomplete: "off", spellcheck: "false",
                ...(kind === "textarea" ? {rows: 2} : {type: "text"})});
        }

        row(part) {
            const {texts} = this.data, input = this.inputs[part], help = [];
            if (part === "name") {
                help.push(this.list, this.help);
            } else if (texts[`${part}Help`]) {
                help.push(element("div", {class: "help", id: `${input.id}-help`}, texts[`${part}Help`]));
                input.setAttribute("aria-describedby", `${input.id}-help`);
            }
            const label = element("label", {for: input.id}, `${texts[part]}:`);
            const box = element("div", {}, element("div", {class: "flex-container"}, label, input), ...help);
            return element("div", {class: "form-row chroniker-pick"}, box);
        }

        /* The project's code is imported for the list, so it is requested when it is needed. */
        async load() {
            if (this.requested) {
                return;
            }
            this.requested = true;
            const query = new URLSearchParams({name: this.data.command});
            const response = await fetch(`${this.url}?${query}`, {headers: {Accept: "application/json"}}).catch(() => null);
            const answer = response?.ok ? await response.json() : {};
            this.offers = answer.offers || [];
            this.list.replaceChildren(...this.offers.map(({name, help}) => element("option", {value: name}, help)));
            this.explain();
        }

        explain() {
            const name = this.inputs.name.value.trim(), offer = this.offers.find(each => each.name === name);
            const unknown = name && this.offers.length ? [this.data.texts.unknown] : [];
            this.help.replaceChildren(...(offer ? [element("code", {}, offer.signature), ` ${offer.help}`] : unknown));
        }

        write() {
            const values = Object.fromEntries(PARTS.map(part => [part, this.inputs[part].value.trim()]));
            this.form.elements.args.value = line(values);
            this.explain();
        }
    }

    class Choice {
        constructor(data, form, url) {
            this.form = form;
            this.kept = {command: "", args: "", raw_command: ""};
            this.pickers = data.pickers.filter(each => each.call).map(each => new Picker(each, form, url));
            const kinds = [["command", data.command], ...this.pickers.map(({data: {command, label}}) => [command, label]),
                ...(form.elements.raw_command ? [["program", data.program]] : [])];
            const box = element("fieldset", {class: "form-row chroniker-kinds"}, element("legend", {}, data.legend),
                ...kinds.map(([value, label]) => this.radio(value, label)));
            const first = form.querySelector(".form-row.field-command");
            first.before(box);
            first.after(...this.pickers.flatMap(picker => picker.rows));
            this.show(this.current());
        }

        radio(value, label) {
            const input = element("input", {type: "radio", name: "_what_runs", value, id: `what-runs-${value}`});
            input.addEventListener("change", () => this.choose(value));
            return element("label", {for: input.id}, input, ` ${label}`);
        }

        field(name) {
            return this.form.elements[name] || {value: ""};
        }

        current() {
            const command = this.field("command").value;
            const known = this.pickers.some(picker => picker.data.command === command);
            return known ? command : this.field("raw_command").value.trim() && !command ? "program" : "command";
        }

        /* What the other kinds had is kept, in case the person returns to them. */
        choose(kind) {
            for (const name of Object.keys(this.kept)) {
                this.kept[name] = this.pickers.some(each => each.data.command === this.shown) && name !== "raw_command"
                    ? this.kept[name] : this.field(name).value || this.kept[name];
            }
            const picker = this.pickers.find(each => each.data.command === kind);
            this.field("command").value = picker ? kind : kind === "program" ? "" : this.kept.command;
            this.field("args").value = kind === "command" ? this.kept.args : "";
            this.field("raw_command").value = kind === "program" ? this.kept.raw_command : "";
            picker?.write();
            this.field("command").dispatchEvent?.(new Event("change", {bubbles: true}));
            this.show(kind);
        }

        show(kind) {
            this.shown = kind;
            this.form.querySelector(`#what-runs-${CSS.escape(kind)}`).checked = true;
            for (const [name, kinds] of Object.entries({command: ["command"], args: ["command"], raw_command: ["program"]})) {
                for (const row of this.form.querySelectorAll(`.form-row.field-${name}`)) {
                    row.hidden = !kinds.includes(kind) && !row.querySelector(".errorlist");
                }
            }
            for (const picker of this.pickers) {
                const isShown = picker.data.command === kind;
                picker.rows.forEach(row => row.hidden = !isShown);
                if (isShown) {
                    picker.load();
                }
            }
        }
    }

    document.addEventListener("DOMContentLoaded", () => {
        const box = document.querySelector(".chroniker-choice[data-what-runs]");
        const form = document.getElementById("job_form"), help = document.getElementById("chroniker-command");
        if (box && form?.elements.args && help) {
            new Choice(JSON.parse(box.dataset.whatRuns), form, help.dataset.url);
        }
    });
})();
