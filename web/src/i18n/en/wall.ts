import type zh from '../zh/wall.ts'
import type { Shape } from '../shape.ts'

export default {
  agents: 'Agents',
  agent: 'Agent',
  state: 'State',
  since: 'For',
  calls: 'Calls',
  noCalls: 'No calls at present',
  orders: 'Latest orders',
  time: 'Time',
  line: 'Line',
  delivery: 'Delivery',
  column: { request_type: 'Type', title: 'Title', town: 'Town', unit: 'Unit' },
} satisfies Shape<typeof zh>
