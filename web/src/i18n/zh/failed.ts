// Why an order did not reach its work-order system: domain/delivery_failures.py says when.
import type en from '@/i18n/en/failed.ts'
import type { Shape } from '@/i18n/shape.ts'

const zh: Shape<typeof en> = {
  answered: '对方返回 HTTP {status}',
  answered_with: '对方返回 HTTP {status}：{said}',
  map_fails: '未发送：映射 {place} 出错：{text}',
  map_missing: '未发送：映射 {place} 需要的内容此工单没有：{text}；请在该处设默认值，或补全工单',
  map_no_code: '未发送：映射 {place} 找不到“{value}”的代码；请加入 [tables.{table}]，或为其设默认值',
  no_answer: '{seconds} 秒内无应答',
  no_connection: '无法连接（{kind}：{text}）',
  not_accepted: '对方返回 HTTP {status}，但未受理：{said}',
  not_signed: '无法签名，未发送：{text}',
  request_answered: '请求 {request}：对方返回 HTTP {status}：{said}',
  redirected: '对方返回 HTTP {status}（不跟随重定向，请配置最终地址）',
}
export default zh
