import type zh from '../zh/keys.ts'
import type { Shape } from '../shape.ts'

export default {
  app: { help: 'Show the shortcuts', dark: 'Switch dark mode', language: 'Switch language' },
} satisfies Shape<typeof zh>
