// The requests as the server tells of them. It remembers the last 10,000, and so does this.

const MOST = 10_000;

export class Feed {
  constructor(onChange, onConnection) {
    this.rows = []; // oldest first
    this.byId = new Map();
    this.server = null;
    this.live = false;
    this.version = 0; // grows with each change
    this._offset = 0; // seconds between the server's clock and this one
    this._onChange = onChange;
    this._onConnection = onConnection;
  }

  open() {
    const source = new EventSource("/ui/events");
    source.onmessage = (event) => this._take(JSON.parse(event.data));
    source.onerror = () => this._connected(false); // it connects again by itself
  }

  get now() {
    return Date.now() / 1000 + this._offset;
  }

  running() {
    return this.rows.filter((row) => row.state === "running");
  }

  _take(news) {
    this._offset = news.now - Date.now() / 1000;
    if (news.server) {
      // A new connection: the server begins anew with all that it remembers.
      this.server = news.server;
      this.rows = [];
      this.byId.clear();
      this._connected(true);
    }
    for (const row of news.rows ?? []) this._put(row);
    for (const [id, sent, first, status, attempts] of news.moves ?? []) {
      const row = this.byId.get(id);
      if (row) Object.assign(row, { sent_bytes: sent, first_byte_seconds: first, status, attempts });
    }
    this.version++;
    this._onChange();
  }

  _put(row) {
    const known = this.byId.get(row.id);
    if (known) {
      Object.assign(known, row);
      return;
    }
    this.byId.set(row.id, row);
    this.rows.push(row);
    if (this.rows.length > MOST * 1.1) {
      for (const old of this.rows.splice(0, this.rows.length - MOST)) this.byId.delete(old.id);
    }
  }

  _connected(live) {
    this.live = live;
    this._onConnection();
  }
}
