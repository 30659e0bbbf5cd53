import type zh from '../zh/desk.ts'
import type { Shape } from '../shape.ts'

export default {
  myState: 'My state',
  noAgent: 'Your phone is not on the PBX',
  myCalls: 'My calls',
  noCall: 'No call at present',
} satisfies Shape<typeof zh>
