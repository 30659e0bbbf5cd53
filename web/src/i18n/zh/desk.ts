export default {
  myState: '我的状态',
  noAgent: '您的话机不在话务平台上',
  myCalls: '我的通话',
  noCall: '当前没有通话',
}
