"""What pypinyin 0.55 reads wrong: words of village announcements, place names, and characters by what stands around."""

# A word is long enough not to turn up across the border of two others (六安 in 周六安排 misleads even pypinyin): 重庆
# would be found in 双重庆祝, 行长 in 发行长期国债, 单县 in 名单县里. Tones as in a dictionary: `sandhi` joins them.
PINYIN = {
    # places
    "六安市": "lu4 an1 shi4", "六安城": "lu4 an1 cheng2", "六合区": "lu4 he2 qu1", "蚌埠": "beng4 bu4",
    "番禺": "pan1 yu2", "都江堰": "du1 jiang1 yan4", "涡阳": "guo1 yang2", "阆中": "lang4 zhong1",
    "珲春": "hun2 chun1", "洪洞": "hong2 tong2", "菏泽单县": "he2 ze2 shan4 xian4", "繁峙": "fan2 shi4",
    "菏泽市单县": "he2 ze2 shi4 shan4 xian4", "山东单县": "shan1 dong1 shan4 xian4", "解州": "hai4 zhou1",
    "会稽": "kuai4 ji1", "浚县": "xun4 xian4", "泷水": "shuang1 shui3", "什邡": "shi2 fang1",
    "朝阳路": "chao2 yang2 lu4", "长垣": "chang2 yuan2", "天长市": "tian1 chang2 shi4", "长丰县": "chang2 feng1 xian4",
    "筠连": "jun1 lian2", "荥经": "ying2 jing1", "华阴": "hua4 yin1", "宕昌": "tan4 chang1", "漯河": "luo4 he2",
    "大城县": "dai4 cheng2 xian4", "乐陵": "lao4 ling2", "桦甸": "hua4 dian4", "宽甸": "kuan1 dian4",
    "鲁甸": "lu3 dian4", "施甸": "shi1 dian4", "草甸": "cao3 dian4", "穆棱": "mu4 ling2",
    # banks, money, offices
    "还款": "huan2 kuan3", "总行程": "zong3 xing2 cheng2", "总行": "zong3 hang2", "支行": "zhi1 hang2",
    "乡长": "xiang1 zhang3", "城乡长期": "cheng2 xiang1 chang2 qi1", "重名": "chong2 ming2", "列为": "lie4 wei2",
    # health
    "大夫": "dai4 fu5", "吐血": "tu4 xue4", "流血": "liu2 xue4", "采血": "cai3 xue4", "献血": "xian4 xue4",
    "对接种子": "dui4 jie1 zhong3 zi5", "接种": "jie1 zhong4",
    # farm and yard
    "猪圈": "zhu1 juan4", "羊圈": "yang2 juan4", "牛圈": "niu2 juan4", "鸡圈": "ji1 juan4", "圈舍": "juan4 she4",
    "圈养": "juan4 yang3", "入圈": "ru4 juan4", "出圈": "chu1 juan4", "猪舍": "zhu1 she4", "鸡舍": "ji1 she4",
    "牛舍": "niu2 she4", "羊舍": "yang2 she4", "禽舍": "qin2 she4", "畜舍": "chu4 she4", "散养": "san3 yang3",
    "散煤": "san3 mei2", "囤粮": "tun2 liang2", "囤货": "tun2 huo4", "两行树": "liang3 hang2 shu4",
    "排成两行": "pai2 cheng2 liang3 hang2", "长得好": "zhang3 de5 hao3", "长得快": "zhang3 de5 kuai4",
    "长得慢": "zhang3 de5 man4", "长得高": "zhang3 de5 gao1", "长得旺": "zhang3 de5 wang4", "晒干": "shai4 gan1",
    "晾干": "liang4 gan1", "烘干": "hong1 gan1", "风干": "feng1 gan1", "擦干": "ca1 gan1", "薄膜": "bo2 mo2",
    "扎紧": "za1 jin3", "倒春寒": "dao4 chun1 han2", "盛水": "cheng2 shui3", "盛满": "cheng2 man3",
    "盛饭": "cheng2 fan4", "卡住": "qia3 zhu4", "设卡": "she4 qia3",
    # every day
    "必须得去": "bi4 xu1 dei3 qu4", "一会儿": "yi1 hui4 er5", "周六安": "zhou1 liu4 an1", "数一数": "shu3 yi1 shu3",
    "头发": "tou2 fa5", "踏实": "ta1 shi5", "扎实": "zha1 shi5", "结实": "jie1 shi5",
    "琢磨": "zuo2 mo5", "丈夫": "zhang4 fu5", "吓唬": "xia4 hu5", "蘑菇": "mo2 gu5",
    "答应": "da1 ying5",
}  # fmt: skip
WORDS = {"N95": "N九五", "KN95": "KN九五"}

_MANNER = (
    "认真|及时|安全|有序|迅速|仔细|严格|积极|主动|耐心|妥善|科学|合理|逐步|不断|更好|更多|高兴|热情|自觉|准确|全面|深入|扎实|详细|按时|快速"
    "|平安|放心|大胆|牢牢|充分|有效|顺利|公平|公正|文明|健康|持续|统一|系统|真正|紧急|临时|随意|盲目|轻易|一户一户|一个一个|源源不断"
)
_NOT_KINDS = "(?<![品良新各多这那哪一两几三四五六七八九十某此物菜苗稻留引选制供换繁麦何树草])"
_AFTER_MANNER = "(?:" + "|".join(f"(?<={word})" for word in _MANNER.split("|")) + ")"
AROUND: tuple[tuple[str, str], ...] = (
    ("(?<=[一二两三四五六七八九十百千万几每半这那整])只(?!有|要|能|好|是|会|需|限|可|不|得)", "zhi1"),
    (_AFTER_MANNER + "地(?!带|点|方|区|段|块|里|上|址|下|面|毯|板|理)", "de5"),
    (r"(?<=慢慢|好好|轻轻|悄悄|渐渐|紧紧|狠狠|深深|远远|早早|快快|天天|稳稳|细细)地(?!里|上)", "de5"),
    ("(?<=[跑走来起睡吃说听看做干办写讲读种收养过记下烧])得(?=[很不太更最好快慢早晚高多少大小远近清准稳旺齐])", "de5"),
    ("(?<=[都还也就可须总又才])得(?=[一-龥])(?!到|了|知|出|益|以|票|分|奖|病|逞|罪|当|力|体|意|名|来|起|住)", "dei3"),
    (_NOT_KINDS + "种(?=粮|了|麦|稻|菜|玉米|大豆|豆子|棉|烟|茶|果树|药材|地|树|草|花生|油菜|小麦|水稻|红薯)", "zhong4"),
    ("(?<![联关体院维派])系(?=好|上|紧|安全|鞋|绳|牢|红领巾)", "ji4"),
    ("撒(?=药|种|播|施|肥|化肥|石灰|盐|农药|草木灰)", "sa3"),
    ("(?<!手)背(?=着|起|老人|孩子)", "bei1"),
)  # fmt: skip
"""(pattern of one character, its syllable)."""
