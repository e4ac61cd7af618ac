package innodb

// letters are what "@" and two characters stand for in a file name: first is the one after the "@",
// and the letters stand for the second ones, one for one.
type letters struct {
	first   byte
	seconds string
	stand   string
}

// fileLetters are the letters that a file name has in three characters: those of alphabets with upper and
// lower case, but not all of them (the manual, "Mapping of Identifiers to File Names", gives the blocks
// and patterns). The pairs are those that MySQL 9.7 makes of every character of the BMP.
//
// Some letters have a canonical form that is another one: this file must not be normalised.
var fileLetters = []letters{
	{'0', "GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓàáâãäåæçèéêëìíîïðñòó"},
	{'1', "GHIKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz", "ÔÕÖØÙÚÛÜÝÞŸĀĂĄĆĈĊČĎôõößøùúûüýþÿāăąćĉċčď"},
	{'2', "GHIJKLMNOPQRSTUVXYZghijklmnopqrstuvwxyz", "ĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶđēĕėęěĝğġģĥħĩīĭįıĳĵķ"},
	{'3', "HIJKLMNOQRSTUVWXYZghijklmnopqrstuvwxyz", "ĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜĸĺļľŀłńņňŉŋōŏőœŕŗřśŝ"},
	{'4', "GHIJKLMNOPQRSTUVghijklmnopqrstuvw", "ŞŠŢŤŦŨŪŬŮŰŲŴŶŹŻŽşšţťŧũūŭůűųŵŷźżžſ"},
	{'5', "y", "ΐ"},
	{'6', "GHIJLNOPQRTVWXYZghijklmnopqrstuvwxyz", "ΆΈΉΊΑΓΔΕΖΗΙΛΜΝΞΟάέήίΰαβγδεζηθικλμνξο"},
	{'7', "HKLNOPQRSTUWXYZghijklmnopqrstuwx", "ΡΤΥΧΨΩΪΫΌΎΏΒΘϒϓπρςστυφχψωϊϋόύώϐϑ"},
	{'8', "GHILMNOPQRSTUVWYhijklmnopqrstuvwxyz", "ϔΦΠϚϜϞϠϢϤϦϨϪϬϮΚΣϕϖϗϙϛϝϟϡϣϥϧϩϫϭϯϰϱϲϳ"},
	{'9', "LMNghijk", "ϽϾϿϵ϶ϸϻϼ"},
	{'@', "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "ⒶⒷⒸⒹⒺⒻⒼⒽⒾⒿⓀⓁⓂⓃⓄⓅⓆⓇⓈⓉⓊⓋⓌⓍⓎⓏⓐⓑⓒⓓⓔⓕⓖⓗⓘⓙⓚⓛⓜⓝⓞⓟⓠⓡⓢⓣⓤⓥⓦⓧⓨⓩ"},
	{'A', "@", "Ａ"},
	{'B', "@", "Ｂ"},
	{'C', "@", "Ｃ"},
	{'D', "@", "Ｄ"},
	{'E', "@", "Ｅ"},
	{'F', "@", "Ｆ"},
	{'G', "012345689@bcdelmnopqrstvwx", "АФЈѸҦӍӴՄⅠＧƳǞȈȰḀḨṐṸṠẾỦἈἪὬᾈᾬ"},
	{'H', "012346789@abcdehlmnoqrstvwx", "БХЉѺҨӶԱՅⅡＨƂƵǠȊȲƝḂḪṒṺỀỨἉἫὭᾉᾭ"},
	{'I', "0123456789@abcdlmnoqrstvwx", "ВЦЊѼҪӐӸԲՆⅢＩƄƸǢȌḄḬṔṼỂỪἊἬὮᾊᾮ"},
	{'J', "012345789@acdgilmnoqrstvwx", "ГЧЋѾҬӒԳՇⅣＪƇǤȎƓƮḆḮṖṾỄỬἋἭὯᾋᾯ"},
	{'K', "012345789@acdhlmnoqrstvwx", "ДШЌҀҮӔԴՈⅤＫƋǦȐƟḈḰṘẀỆỮἌἮᾺᾌᾸ"},
	{'L', "01245789@cdilmnopqrstuvwx", "ЕЩЍҰӖԵՉⅥＬǨȒƱḊḲṚẂẠỈỰἍἯὙΆᾍᾹ"},
	{'M', "012345789@acdgilmnopqrstvw", "ЖЪЎҊҲӘԶՊⅦＭƑǪȔƔƲḌḴṜẄẢỊỲἎἸῈᾎ"},
	{'N', "012345789@abcdlmnopqrstuvwxy", "ЗЫЏҌҴӚԷՋⅧＮǶƼǬȖḎḶṞẆẤỌỴἏἹὛΈᾏᾼῨ"},
	{'O', "012345789@abcdelmopqrstvwy", "ИЬѠҎҶӜԸՌⅨＯƘǄǮȘȺḐḸẈẦỎỶἘἺῊᾘῩ"},
	{'P', "0123456789@abdelmnopqrstuvw", "ЙЭѢҐҸӞԀԹՍⅩＰȽǇȚȻḒḺṢẊẨỐỸἙἻὝΉᾙ"},
	{'Q', "0123456789@bcdeflmnopqstvw", "КЮѤҒҺӠԂԺՎⅪＱǊǱȜȾƁḔḼṤẌẪỒἚἼῚᾚ"},
	{'R', "0123456789@abcdfglmnopqstuvw", "ЛЯѦҔҼӢԄԻՏⅫＲȠǍǴȞƆƗḖḾṦẎẬỔἛἽὟΊᾛ"},
	{'S', "0123456789@abcglmnopqstvwy", "МЀѨҖҾӤԆԼՐⅬＳƠǏǸƖḘṀṨẐẮỖἜἾῸᾜῬ"},
	{'T', "0123456789@abcdfilmnopqstvwx", "НЁѪҘӀӦԈԽՑⅭＴƢǑǺȢƉƷḚṂṪẒẰỘἝἿΌᾝῌ"},
	{'U', "0123456789@abcdflmnopqtvw", "ОЂѬҚӁӨԊԾՒⅮＵƤǓǼȤƊḜṄṬẔẲỚὈῪᾞ"},
	{'V', "0123456789@abcdhilmnpqtvw", "ПЃѮҜӃӪԌԿՓⅯＶƧǕǾȦƦɁḞṆṮẴỜὉΎᾟ"},
	{'W', "012345678@bcdflmnpqtuvw", "РЄѰҞӅӬԎՀՔＷǗȀȨƏḠṈṰẶỞὊὨῺᾨ"},
	{'X', "01234578@bcdlmnpqtuvw", "СЅѲҠӇӮՁՕＸǙȂȪḢṊṲẸỠὋὩΏᾩ"},
	{'Y', "0123457@abcdfghlmnpqstuwxy", "ТІѴҢӉӰՂＹƬǛȄȬƐƜƩḤṌṴẺỢἨὌὪᾪῘῼ"},
	{'Z', "0123457@abcdlmnpqstuwx", "УЇѶҤӋӲՃＺƯƎȆȮḦṎṶẼỤἩὍὫᾫῙ"},
	{'a', "@", "ａ"},
	{'b', "@", "ｂ"},
	{'c', "@", "ｃ"},
	{'d', "@", "ｄ"},
	{'e', "@", "ｅ"},
	{'f', "@", "ｆ"},
	{'g', "012345689@abcdeghijklmnopqrstvwxy", "афјѹҧӎӵմⅰｇƀƴǟȉȱɝɱʅʙʭḁḩṑṹẛếủἀἢὤᾀᾤῒ"},
	{'h', "012346789@abcdeghijklmnoqrstvwxyz", "бхљѻҩӷայⅱｈƃƶǡȋȳɞɲʆʚʮḃḫṓṻềứἁἣὥᾁᾥΐῶ"},
	{'i', "0123456789@abcdeghijklmnoqrstvwxz", "вцњѽҫӑӹբնⅲｉƅƹǣȍȴɟɳʇʛʯḅḭṕṽểừἂἤὦᾂᾦῷ"},
	{'j', "012345789@abcdeghijlmnoqrstvwx", "гчћѿҭӓգշⅳｊƈƺǥȏȵɠɴʈʜḇḯṗṿễửἃἥὧᾃᾧ"},
	{'k', "012345789@abcdeghijlmnoqrstuvwxy", "дшќҁүӕդոⅴｋƌƻǧȑȶɡɵʉʝḉḱṙẁệữἄἦὐὰᾄᾰῖ"},
	{'l', "01245789@acdeghijlmnopqrstuvwxy", "ещѝұӗեչⅵｌƍǩȓȷɢɶʊʞḋḳṛẃạỉựἅἧὑάᾅᾱῗ"},
	{'m', "012345789@abcdeghijlmnopqrstuvwx", "жъўҋҳәզպⅶｍƒƾǫȕȸɣɷʋʟḍḵṝẅảịỳἆἰὒὲᾆᾲ"},
	{'n', "012345789@abcdefghijlmnopqrstuvwxy", "зыџҍҵӛէջⅷｎƕƽǭȗȹɐɤɸʌʠḏḷṟẇấọỵἇἱὓέᾇᾳῠ"},
	{'o', "012345789@abcdfghijlmnopqrstuvwxy", "иьѡҏҷӝըռⅸｏƙǆǯșɑɥɹʍʡḑḹṡẉầỏỷἐἲὔὴᾐᾴῡ"},
	{'p', "0123456789@abcdefghijlmnopqrstuvwy", "йэѣґҹӟԁթսⅹｐƚǉǰțȼɒɦɺʎʢḓḻṣẋẩốỹἑἳὕήᾑῢ"},
	{'q', "0123456789@abcdfghijlmnopqstuvwxy", "кюѥғһӡԃժվⅺｑƛǌǳȝɓɧɻʏʣḕḽṥẍẫồἒἴὖὶᾒᾶΰ"},
	{'r', "0123456789@abcdefghijlmnopqstuvwxy", "ляѧҕҽӣԅիտⅻｒƞǎǵȟȿɔɨɼʐʤḗḿṧẏậổἓἵὗίᾓᾷῤ"},
	{'s', "0123456789@abcdefghijlmnopqstvwxy", "мѐѩҗҿӥԇլրⅼｓơǐǹȡɀɕɩɽʑʥḙṁṩẑắỗἔἶὸᾔῂῥ"},
	{'t', "012356789@abcdfghijlmnopqstvwxy", "нёѫҙӧԉխցⅽｔƣǒǻȣɖɪɾʒʦḛṃṫẓằộἕἷόᾕῃῦ"},
	{'u', "0123456789@abcdfghijlmnopqtvwxy", "ођѭқӂөԋծւⅾｕƥǔǽȥɗɫɿʓʧḝṅṭẕẳớὀὺᾖῄῧ"},
	{'v', "0123456789@abcdfghijlmnopqtvw", "пѓѯҝӄӫԍկփⅿｖƨǖǿȧɘɬʀʔʨḟṇṯẖẵờὁύᾗ"},
	{'w', "012345678@abcdfghijlmnopqtuvwx", "рєѱҟӆӭԏհքｗƪǘȁȩəɭʁʕʩḡṉṱẗặởὂὠὼᾠῆ"},
	{'x', "01234578@abcdfghijlmnopqtuvwxy", "сѕѳҡӈӯձօｘƫǚȃȫɚɮʂʖʪḣṋṳẘẹỡὃὡώᾡῇῲ"},
	{'y', "0123457@abcdfghijlmnopqstuwxy", "тіѵңӊӱղｙƭǜȅȭɛɯʃʗʫḥṍṵẙẻợἠὄὢᾢῐῳ"},
	{'z', "0123457@abcdfghijlmnopqstuwx", "уїѷҥӌӳճｚưǝȇȯɜɰʄʘʬḧṏṷẚẽụἡὅὣᾣῑ"},
}
