// The board: what the stream says, drawn. One animation frame at most draws; only what changed is touched.
const by = (id) => document.getElementById(id);

const CALL = { ivr: "语音导航", queued: "排队", ringing: "振铃", talking: "通话中", held: "保持", parked: "驻留", ended: "已结束" };
const AGENT = {
  logged_out: "未登录", available: "空闲", ringing: "振铃", talking: "通话", on_hold: "保持", wrap_up: "话后整理",
  paused: "小休", unreachable: "话机离线",
};
const ORDER = { draft: "填写中", submitted: "投递中", delivered: "已投递", dead: "投递失败" };
const SIDE = { caller: "来电人", agent: "坐席" };

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

function shown(value) {
  if (typeof value === "boolean") return value ? "是" : "否";
  return Array.isArray(value) ? value.join("、") : String(value);
}

export class Board {
  constructor(who) {
    this.labels = who.field_labels;
    this.lines = new Map(who.lines.map((line) => [line.id, line]));
    this.queueLines = new Map(who.lines.map((line) => [line.queue, line]));
    this.topics = {};
    this.clear();
    this.offset = 0;
    this.pending = false;
    this.cards = new Map();
    by("calls").replaceChildren();
    setInterval(() => this.tick(), 1000);
  }

  setClock(offset) { this.offset = offset; }
  now() { return Date.now() / 1000 + this.offset; }

  clear() {
    for (const topic of ["calls", "queues", "agents", "transcripts", "orders", "pbx", "asr"]) this.topics[topic] = new Map();
  }

  set(topic, key, value) { this.topics[topic]?.set(key, value); }
  remove(topic, key) { this.topics[topic]?.delete(key); }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.drawLinks();
      this.drawQueues();
      this.drawAgents();
      this.drawCalls();
      this.drawOrders();
      this.tick();
    });
  }

  tick() {
    for (const element of document.querySelectorAll("[data-since]")) {
      const until = element.dataset.until ? Number(element.dataset.until) : this.now();
      element.textContent = clock(until - Number(element.dataset.since));
    }
  }

  drawLinks() {
    by("links").replaceChildren(...[...this.topics.pbx.values()].map((link) => {
      const element = make("span", `link ${link.up ? "up" : "down"}`, `${link.pbx} ${link.up ? "在线" : "断开"}`);
      element.title = link.reason;
      return element;
    }), ...[...this.topics.asr.values()].map((asr) => {
      const words = asr.fault ? "转写停止" : !asr.ready ? "转写准备中"
        : { normal: "转写正常", no_partials: "转写繁忙：整句显示", delayed: `转写延迟 ${Math.round(asr.lag)} 秒` }[asr.load];
      const element = make("span", `link ${asr.ready && asr.load !== "delayed" ? "up" : "down"}`, words ?? asr.load);
      element.title = asr.fault ?? "";
      return element;
    }));
  }

  timer(since, until) {
    const element = make("time", "timer");
    element.dataset.since = since;
    if (until) element.dataset.until = until;
    return element;
  }

  drawQueues() {
    by("queues").replaceChildren(...[...this.topics.queues.values()].map((queue) => {
      const line = this.queueLines.get(queue.name);
      const box = make("div", "queue");
      const head = make("div", "queue-head");
      const name = make("strong", "", line?.name ?? queue.name);
      if (line) head.style.setProperty("--line", line.colour);
      head.append(name, make("span", "count", `等待 ${queue.waiting.length}`), make("span", "quiet", `坐席 ${queue.members.length}`));
      const list = make("ol", "waiting");
      for (const waiting of queue.waiting) {
        const item = make("li", "", `${waiting.caller || "未知号码"} `);
        item.append(this.timer(waiting.since));
        list.append(item);
      }
      box.append(head, list);
      return box;
    }));
  }

  drawAgents() {
    const agents = [...this.topics.agents.values()].sort((a, b) => a.id.localeCompare(b.id));
    by("agents").replaceChildren(...agents.map((agent) => {
      const item = make("li", `agent ${agent.state}`);
      item.append(make("span", "dot"), make("span", "name", `${agent.name} ${agent.id}`));
      item.append(make("span", "state", agent.reason || AGENT[agent.state] || agent.state), this.timer(agent.since));
      return item;
    }));
  }

  drawCalls() {
    const calls = [...this.topics.calls.values()].sort((a, b) => b.started_at - a.started_at);
    by("no-calls").hidden = calls.length > 0;
    const orders = new Map([...this.topics.orders.values()].map((order) => [order.call_id, order]));
    const said = new Map();
    for (const one of this.topics.transcripts.values()) {
      if (!said.has(one.call_id)) said.set(one.call_id, []);
      said.get(one.call_id).push(one);
    }
    const live = new Set(calls.map((call) => call.id));
    for (const [id, card] of this.cards) if (!live.has(id)) { card.root.remove(); this.cards.delete(id); }
    calls.forEach((call, place) => {
      let card = this.cards.get(call.id);
      if (!card) {
        card = this.newCard();
        this.cards.set(call.id, card);
      }
      if (by("calls").children[place] !== card.root) by("calls").insertBefore(card.root, by("calls").children[place] ?? null);
      this.fillCard(card, call, orders.get(call.id), said.get(call.id) ?? []);
    });
  }

  newCard() {
    const root = make("article", "call");
    const head = make("header", "call-head");
    const body = make("div", "call-body");
    const talk = make("div", "talk");
    talk.setAttribute("role", "log");
    talk.setAttribute("aria-label", "实时转写");
    talk.tabIndex = 0;
    const form = make("dl", "form");
    body.append(talk, form);
    root.append(head, body);
    return { root, head, talk, form, drawn: new Map(), order: "" };
  }

  fillCard(card, call, order, utterances) {
    const line = this.lines.get(call.line);
    card.root.style.setProperty("--line", line?.colour ?? "gray");
    card.root.classList.toggle("ended", call.state === "ended");
    card.head.replaceChildren(
      make("span", "line", line?.name ?? call.line ?? "线路未定"),
      make("strong", "number", call.caller.number || "未知号码"),
      make("span", "caller-name", call.caller.name),
      make("span", `state ${call.state}`, CALL[call.state] ?? call.state),
      make("span", "quiet", call.agent ? `坐席 ${call.agent}` : ""),
      this.timer(call.answered_at ?? call.started_at, call.ended_at),
    );
    utterances.sort((a, b) => a.start - b.start);
    const follow = card.talk.scrollTop + card.talk.clientHeight >= card.talk.scrollHeight - 8;
    utterances.forEach((one, place) => {
      let row = card.drawn.get(one.id);
      if (!row) {
        row = make("p", `said ${one.side}`);
        row.append(make("span", "side", SIDE[one.side]), make("span", "text"));
        card.drawn.set(one.id, row);
      }
      row.lastChild.textContent = one.text;
      row.title = `${clock(one.start)}–${clock(one.end)}`;
      if (card.talk.children[place] !== row) card.talk.insertBefore(row, card.talk.children[place] ?? null);
    });
    if (follow) card.talk.scrollTop = card.talk.scrollHeight;
    const stamp = order ? `${order.revision}/${order.state}` : "";
    if (order && stamp !== card.order) {
      card.order = stamp;
      card.form.replaceChildren(...this.formRows(order));
    }
  }

  formRows(order) {
    const rows = [make("dt", "form-state", "工单"), make("dd", `form-state ${order.state}`, ORDER[order.state])];
    for (const [name, label] of Object.entries(this.labels)) {
      const field = order.fields[name];
      if (!field) continue;
      const value = make("dd", "field");
      value.tabIndex = 0;
      value.append(make("span", "value", shown(field.value)));
      const meter = make("meter");
      meter.min = 0; meter.max = 1; meter.low = 0.6; meter.high = 0.8; meter.optimum = 1;
      meter.value = field.confidence;
      meter.setAttribute("aria-label", `可信度 ${Math.round(field.confidence * 100)}%`);
      value.append(meter);
      if (field.evidence.length) value.append(make("q", "quote", field.evidence.map((one) => one.quote).join(" … ")));
      rows.push(make("dt", "", label), value);
    }
    return rows;
  }

  drawOrders() {
    const orders = [...this.topics.orders.values()].filter((order) => order.state !== "draft");
    orders.sort((a, b) => b.created_at - a.created_at);
    document.querySelector("#orders tbody").replaceChildren(...orders.slice(0, 20).map((order) => {
      const row = make("tr");
      const text = (name) => (order.fields[name] ? shown(order.fields[name].value) : "");
      const time = new Date(order.created_at * 1000).toLocaleTimeString("zh-CN", { hour12: false });
      for (const cell of [time, this.lines.get(order.line)?.name ?? order.line, text("request_type"), text("title"), text("town"), text("unit")]) row.append(make("td", "", cell));
      row.append(make("td", order.state, `${ORDER[order.state]} ${order.external_id ?? ""}`));
      return row;
    }));
  }
}
