// Sign in, then show the board over the stream. Data reaches the page as text only: nothing is parsed as HTML.
import { Board } from "./board.js";
import { Stream } from "./stream.js";

const by = (id) => document.getElementById(id);
let session = null;
let stream = null;

async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (session) headers["X-CSRF-Token"] = session.csrf;
  return fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

function showLogin(text = "") {
  session = null;
  stream?.stop();
  stream = null;
  by("board").hidden = true;
  by("login").hidden = false;
  by("login-error").textContent = text;
  by("login-form").elements.username.focus();
}

function showBoard(who) {
  session = who;
  by("login").hidden = true;
  by("board").hidden = false;
  const role = { agent: "坐席", supervisor: "班长", admin: "管理员" }[who.role] ?? who.role;
  by("who").textContent = `${who.username}（${role}）`;
  const board = new Board(who);
  stream = new Stream(who.stream, {
    onChange: (topic, key, value) => board.set(topic, key, value),
    onRemove: (topic, key) => board.remove(topic, key),
    onReset: () => board.clear(),
    onDone: () => board.draw(),
    onTime: (offset) => board.setClock(offset),
    onState: (state) => {
      const words = { open: "实时", waiting: "重新连接中…", closed: "已断开" };
      by("connection").textContent = words[state] ?? state;
      by("connection").dataset.state = state;
    },
    onSignedOut: () => showLogin("登录已失效，请重新登录"),
  });
  stream.start();
}

by("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const fields = { username: form.elements.username.value, password: form.elements.password.value };
  const answer = await call("POST", "/api/v1/session", fields);
  if (answer.ok) {
    form.reset();
    showBoard(await answer.json());
    return;
  }
  const words = { 401: "账号或密码不正确", 429: "尝试次数过多，请稍后再试" };
  by("login-error").textContent = words[answer.status] ?? `登录失败（${answer.status}）`;
});

by("logout").addEventListener("click", async () => {
  await call("DELETE", "/api/v1/session");
  showLogin();
});

const answer = await call("GET", "/api/v1/session");
if (answer.ok) showBoard(await answer.json());
else showLogin();
