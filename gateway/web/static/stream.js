// The websocket stream: snapshot, deltas, resume after a loss, back-off with jitter. See docs/stream.md.
const SIGNED_OUT = 4401;
const LONGEST_WAIT_MS = 15000;

export class Stream {
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.epoch = null;
    this.seq = null;
    this.attempt = 0;
    this.stopped = false;
    this.silence = null;
  }

  start() {
    const url = new URL(this.url);
    if (this.epoch !== null && this.seq !== null) {
      url.searchParams.set("epoch", this.epoch);
      url.searchParams.set("since", String(this.seq));
    }
    this.socket = new WebSocket(url);
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = (event) => this.lost(event);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.silence);
    this.socket?.close(1000);
  }

  take(frame) {
    const { onChange, onRemove, onReset, onDone, onTime, onState } = this.handlers;
    // Three heartbeats missed: the line is dead though no one has said so.
    if (frame.type === "hello") {
      this.heartbeat = frame.heartbeat;
      if (frame.epoch !== this.epoch) this.seq = null;
      this.epoch = frame.epoch;
      this.attempt = 0;
      onTime(frame.time - Date.now() / 1000);
      onState("open");
    } else if (frame.type === "snapshot") {
      onReset();
      for (const { topic, key, value } of frame.items) onChange(topic, key, value);
      this.seq = frame.seq;
      onDone();
    } else if (frame.type === "delta") {
      for (const { topic, key, value } of frame.changes) onChange(topic, key, value);
      for (const { topic, key } of frame.removals) onRemove(topic, key);
      this.seq = frame.seq;
      onDone();
    }
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket.close(), (this.heartbeat ?? 15) * 3000);
  }

  lost(event) {
    clearTimeout(this.silence);
    if (this.stopped) return;
    if (event.code === SIGNED_OUT) {
      this.stopped = true;
      this.handlers.onSignedOut();
      return;
    }
    this.handlers.onState("waiting");
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.attempt) * (0.5 + Math.random() / 2);
    this.attempt += 1;
    // Signed out while away: the handshake is refused without a code of its own, so ask.
    setTimeout(async () => {
      if (this.stopped) return;
      try {
        const answer = await fetch("/api/v1/session");
        if (answer.status === 401) {
          this.stopped = true;
          this.handlers.onSignedOut();
          return;
        }
      } catch {
        // The gateway is away; try the socket all the same.
      }
      if (!this.stopped) this.start();
    }, wait);
  }
}
