import type zh from '../zh/app.ts'
import type { Shape } from '../shape.ts'

export default {
  product: 'Hotline Gateway',
  nav: { label: 'Main', desk: 'Desk', wall: 'Wall', history: 'History', admin: 'Administration' },
  signOut: 'Sign out',
  language: 'Switch language',
  languageName: '中文',
  dark: 'Dark mode',
  role: { agent: 'agent', supervisor: 'supervisor', admin: 'administrator', console: 'command line' },
  connection: { connecting: 'connecting…', open: 'live', lost: 'reconnecting…', refused: 'disconnected' },
  pbxUp: '{pbx} up',
  pbxDown: '{pbx} down',
  asr: {
    fault: 'transcription stopped',
    starting: 'transcription is starting',
    normal: 'transcription',
    no_partials: 'transcription busy: whole sentences',
    delayed: 'transcription {seconds} s behind',
  },
  login: {
    username: 'Username',
    password: 'Password',
    submit: 'Sign in',
    wrong: 'Wrong username or password',
    throttled: 'Too many attempts; try again in {seconds} s',
    failed: 'Could not sign in: {detail}',
    expired: 'Your session is over, please sign in again',
    demo: 'Demo accounts',
    demoHint: 'click to sign in',
  },
  keys: { title: 'Keyboard shortcuts', key: 'Key', action: 'Action', close: 'Close' },
  noPage: 'There is no such page',
  noPageForYou: 'No page is open to your account: ask an administrator for an agent or a role',
  unreachable: 'The gateway does not answer, trying again: {detail}',
  home: 'Home',
} satisfies Shape<typeof zh>
