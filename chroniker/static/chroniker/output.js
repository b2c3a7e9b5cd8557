/* The output of a run: new output is appended, earlier output is loaded on demand. The page holds a bounded part of it. */
"use strict";

(function () {
    const MOST = 1500000; // characters kept in the page
    const NEAR = 40; // pixels from the end that still count as "at the end"
    const STREAMS = ["remark", "stdout", "stderr"];

    function element(tag, className, text) {
        const made = document.createElement(tag);
        made.className = className;
        if (text !== undefined) {
            made.textContent = text; // never innerHTML: the output may contain HTML
        }
        return made;
    }

    /* Consecutive pieces of one stream, with the name of the stream. */
    function group(piece) {
        const made = element("div", "chroniker-group");
        made.dataset.kind = piece.kind;
        made.append(element("span", "chroniker-stream", piece.word), element("pre", ""));
        made.firstChild.title = piece.at;
        return made;
    }

    function span(piece) {
        const made = element("span", "", piece.text);
        made.dataset.seq = piece.seq;
        return made;
    }

    function missing(piece) {
        return element("span", "chroniker-missing", `[${piece.missing}]\n`);
    }

    function render(pieces) {
        const groups = [];
        for (const piece of pieces) {
            let last = groups[groups.length - 1];
            if (!last || last.dataset.kind !== piece.kind) {
                last = group(piece);
                groups.push(last);
            }
            last.lastChild.append(...(piece.missing ? [missing(piece)] : []), span(piece));
        }
        return groups;
    }

    function join(first, second) {
        if (first && second && first.dataset.kind === second.dataset.kind) {
            first.lastChild.append(...second.lastChild.childNodes);
            second.remove();
        }
    }

    class Output {
        constructor(box) {
            this.box = box;
            this.follow = document.querySelector('[data-do="follow"]');
            this.earlier = document.querySelector('[data-do="earlier"]');
            this.after = "";
            this.before = "";
            this.event = 0;
            this.size = 0;
            for (const row of document.querySelectorAll("#chroniker-events [data-id]")) {
                this.event = Math.max(this.event, Number(row.dataset.id));
            }
            this.earlier.addEventListener("click", () => this.showEarlier());
            box.addEventListener("scroll", () => { this.follow.checked = this.atEnd(); });
            this.follow.addEventListener("change", () => this.toEnd());
        }

        atEnd() {
            return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
        }

        toEnd() {
            if (this.follow.checked) {
                this.box.scrollTop = this.box.scrollHeight;
            }
        }

        async step() {
            const query = new URLSearchParams({after: this.after, events: this.event});
            const answer = await window.chroniker.ask(`${this.box.dataset.liveUrl}?${query}`);
            window.chroniker.show(answer.cells);
            window.chroniker.showButtons(() => answer.open);
            this.showEvents(answer.events);
            this.append(answer.output);
            if (!this.size) {
                this.box.dataset.hint = answer.more ? this.box.dataset.waiting : this.box.dataset.empty;
            }
            if (answer.output.more_after && this.after) {
                return this.step();
            }
            return answer.more;
        }

        append(page) {
            if (!this.before) {
                this.before = page.before;
                this.earlier.hidden = !page.more_before;
                page = {...page, more_after: false};
            }
            this.after = page.after;
            const last = this.box.lastElementChild, made = render(page.pieces);
            this.box.append(...made);
            join(last, made[0]);
            this.size += page.pieces.reduce((sum, piece) => sum + piece.text.length, 0);
            if (this.follow.checked) {
                this.forgetBeginning();
            }
            this.toEnd();
        }

        async showEarlier() {
            this.earlier.disabled = true;
            try {
                const page = await window.chroniker.ask(`${this.box.dataset.outputUrl}?before=${this.before}`);
                const height = this.box.scrollHeight, first = this.box.firstElementChild, made = render(page.pieces);
                this.follow.checked = false;
                this.before = page.before;
                this.box.prepend(...made);
                join(made[made.length - 1], first);
                this.size += page.pieces.reduce((sum, piece) => sum + piece.text.length, 0);
                this.box.scrollTop += this.box.scrollHeight - height;
                this.earlier.hidden = !page.more_before;
            } finally {
                this.earlier.disabled = false;
            }
        }

        /* Remove the beginning when the page holds too much. It can be loaded again. */
        forgetBeginning() {
            const before = this.before.split(".");
            while (this.size > MOST) {
                const first = this.box.firstElementChild, pre = first.lastChild, piece = pre.firstChild;
                if (piece.dataset.seq) {
                    before[STREAMS.indexOf(first.dataset.kind)] = Number(piece.dataset.seq);
                    this.size -= piece.textContent.length;
                    this.earlier.hidden = false;
                }
                piece.remove();
                if (!pre.firstChild) {
                    first.remove();
                }
            }
            this.before = before.join(".");
        }

        showEvents(events) {
            const table = document.getElementById("chroniker-events");
            for (const event of events) {
                const row = document.createElement("tr");
                row.append(...[event.at, event.kind, event.text].map(text => element("td", "", text)));
                table.append(row);
                this.event = event.id;
            }
        }
    }

    document.addEventListener("DOMContentLoaded", () => {
        const box = document.getElementById("chroniker-output");
        if (box) {
            const output = new Output(box), notice = document.querySelector('[data-part="notice"]');
            window.chroniker.poll(2, () => output.step(), notice, box.dataset.failed)();
        }
    });
})();
