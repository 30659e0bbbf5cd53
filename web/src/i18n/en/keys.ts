import type zh from '../zh/keys.ts'
import type { Shape } from '../shape.ts'

export default {
  app: { help: 'Show the shortcuts', dark: 'Switch dark mode', language: 'Switch language' },
  wall: {
    find: 'Find an agent',
    listen: 'Listen to the agent chosen',
    whisper: 'Whisper to the agent chosen',
    barge: 'Barge in on the agent chosen',
    takeOver: 'Take over the call of the agent chosen',
    stop: 'Stop listening',
    forcePause: 'Force a pause',
    forceLogOut: 'Force a log-out',
    screen: 'Big screen',
    leaveScreen: 'Leave the big screen',
    mute: 'Mute alarms',
    acknowledge: 'Acknowledge the most urgent alarm',
  },
  history: {
    search: 'To the filters',
    play: 'Play / pause',
    back: 'Back 5 seconds',
    ahead: 'Ahead 5 seconds',
    previous: 'Sentence before',
    next: 'Next sentence',
    slower: 'Slower',
    faster: 'Faster',
    close: 'Back to the list',
  },
} satisfies Shape<typeof zh>
