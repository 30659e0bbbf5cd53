import type zh from '../zh/common.ts'
import type { Shape } from '../shape.ts'

export default {
  yes: 'yes',
  no: 'no',
  noLine: 'no line yet',
  unknownNumber: 'unknown number',
  agent: 'Agent',
  queues: 'Queues',
  waiting: '{count} waiting',
  seats: '{count} seats',
  transcript: 'Live transcript',
  nothingSaid: 'nothing transcribed yet',
  order: 'Work order',
  confidence: 'confidence {percent}%',
  side: { caller: 'caller', agent: 'agent' },
  callState: {
    ivr: 'in the menu',
    queued: 'queued',
    ringing: 'ringing',
    talking: 'talking',
    held: 'on hold',
    parked: 'parked',
    ended: 'ended',
  },
  agentState: {
    logged_out: 'logged out',
    available: 'available',
    ringing: 'ringing',
    talking: 'talking',
    on_hold: 'on hold',
    wrap_up: 'wrap-up',
    paused: 'paused',
    unreachable: 'phone unreachable',
  },
  orderState: { draft: 'draft', submitted: 'being delivered', delivered: 'delivered', dead: 'not delivered' },
} satisfies Shape<typeof zh>
