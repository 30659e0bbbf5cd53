// What each keyboard action does, by its id (common/keys.ts): `app.help` is `app: { help }`.
export default {
  app: { help: '显示快捷键', dark: '切换深色模式', language: '切换语言' },
  wall: {
    find: '查找坐席',
    listen: '监听所选坐席',
    whisper: '密语所选坐席',
    barge: '强插所选坐席的通话',
    takeOver: '接管所选坐席的通话',
    stop: '停止监听',
    forcePause: '强制示忙',
    forceLogOut: '强制签出',
    screen: '大屏模式',
    leaveScreen: '退出大屏',
    mute: '告警静音',
    acknowledge: '确认最紧急的告警',
  },
  history: {
    search: '查询条件',
    play: '播放 / 暂停',
    back: '后退 5 秒',
    ahead: '前进 5 秒',
    previous: '上一句',
    next: '下一句',
    slower: '放慢',
    faster: '加快',
    close: '返回列表',
  },
}
