export default {
  agents: '坐席',
  agent: '坐席',
  state: '状态',
  since: '时长',
  calls: '通话',
  noCalls: '当前没有通话',
  orders: '最近的工单',
  time: '时间',
  line: '线路',
  delivery: '投递',
  column: { request_type: '类型', title: '标题', town: '镇街', unit: '承办单位' },
}
