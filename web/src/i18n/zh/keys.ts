// What each keyboard action does, by its id (common/keys.ts): `app.help` is `app: { help }`.
export default {
  app: { help: '显示快捷键', dark: '切换深色模式', language: '切换语言' },
}
