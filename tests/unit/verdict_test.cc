// verdict_test.cc - which policy wins: override x DANE state x MTA-STS state x answer dialect.
#include "common/verdict/verdict.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "common/service/answer_format.h"
#include "common/verdict/changes.h"
#include "common/verdict/mx_list.h"
#include "plugins/postfix/postfix_format.h"

namespace strictmx::verdict {
namespace {

using dane::HostState;
using dane::MxState;
using mta_sts::PolicyMode;
using std::chrono::seconds;

const base::WallTime kNow{seconds(1768478400)};
constexpr const char* kSecure = "OK secure match=mx1.example.com:.example.net servername=hostname";

StsState sts(std::optional<PolicyMode> mode) {
  StsState state;
  state.valid_until = kNow + seconds(300);
  if (!mode.has_value()) return state;
  mta_sts::CachedPolicy policy;
  policy.id = "1";
  policy.mode = *mode;
  policy.body = "version: STSv1\nmode: " + std::string(mta_sts::policy_mode_name(*mode)) +
                "\nmx: mx1.example.com\nmx: *.example.net\nmax_age: 604800";
  policy.fetched = kNow - seconds(60);
  policy.expires = kNow + seconds(604800 - 60);
  state.policy = policy;
  return state;
}

dane::DaneResult dane_of(MxState mx, const std::vector<HostState>& hosts) {
  dane::DaneAnswer answer;
  answer.mx_state = mx;
  if (mx == MxState::kBogus || mx == MxState::kFailed) answer.reason = "MX: made to fail";
  unsigned number = 0;
  for (const HostState state : hosts) {
    dane::HostDane host;
    host.state = state;
    if (dane::is_unknown(state)) host.reason = "TLSA: made to fail";
    ++number;
    answer.hosts.push_back({10 * number, "mx" + std::to_string(number) + ".example.com",
                            std::make_shared<const dane::HostDane>(host)});
  }
  return {std::make_shared<const dane::DaneAnswer>(std::move(answer)), seconds(120)};
}

Override override_of(PolicyMode mode, std::vector<std::string> mx = {}) {
  Override set;
  set.domain = "example.com";
  set.mode = mode;
  set.mx = std::move(mx);
  return set;
}

std::string answer(const Evidence& evidence, postfix::DaneAnswers dane_answers) {
  const postfix::PostfixFormat format(postfix::Attributes::kPlain, dane_answers);
  std::string out;
  // A format without DANE answers is asked without DANE (Scope::kSts).
  Evidence seen = evidence;
  if (format.scope() == Scope::kSts) seen.dane = {};
  const auto domain = base::DomainName::parse("example.com").value();
  service::append_answer(format, decide(domain, seen, kNow), out);
  return out.starts_with("TEMP ") ? "TEMP" : out;
}

constexpr HostState kUse = HostState::kUsable;
constexpr HostState kUnus = HostState::kUnusable;
constexpr HostState kAbs = HostState::kAbsent;
constexpr HostState kIns = HostState::kInsecure;
constexpr HostState kFail = HostState::kFailed;
constexpr HostState kBog = HostState::kBogus;
constexpr HostState kNoAd = HostState::kNoAddress;

struct Row {
  const char* name;
  MxState mx;
  std::vector<HostState> hosts;
  // With DANE answers, for a domain whose MTA-STS state is: nothing, none or testing; enforce.
  const char* otherwise;
  const char* enforce;
};

const Row kRows[] = {
    {"no TLSA anywhere", MxState::kSecure, {kAbs, kAbs}, "NOTFOUND ", kSecure},
    {"unsigned hosts", MxState::kSecure, {kIns}, "NOTFOUND ", kSecure},
    {"unsigned all over", MxState::kInsecure, {kIns}, "NOTFOUND ", kSecure},
    {"no hosts (null MX)", MxState::kSecure, {}, "NOTFOUND ", kSecure},
    {"hosts without address", MxState::kSecure, {kNoAd}, "NOTFOUND ", kSecure},
    // DESIGN rule 2, RFC 7672 §2.2; RFC 8461 §2: no MTA-STS check stands in for DANE.
    {"all usable", MxState::kSecure, {kUse, kUse}, "OK dane-only", "OK dane-only"},
    {"smart host, usable", MxState::kConfigured, {kUse}, "OK dane-only", "OK dane-only"},
    {"all that resolve", MxState::kSecure, {kUse, kNoAd}, "OK dane-only", "OK dane-only"},
    {"usable and absent", MxState::kSecure, {kUse, kAbs}, "OK dane", "OK dane-only"},
    {"usable and insecure", MxState::kSecure, {kIns, kUse}, "OK dane", "OK dane-only"},
    {"usable and unusable", MxState::kSecure, {kUse, kUnus}, "OK dane", "OK dane-only"},
    {"usable and failed", MxState::kSecure, {kUse, kFail}, "OK dane", "OK dane-only"},
    {"usable and bogus", MxState::kSecure, {kBog, kUse}, "OK dane", "OK dane-only"},
    // DESIGN rule 3: whoever forges the MX records has TLSA of his own.
    {"all usable, MX unsigned", MxState::kInsecure, {kUse, kUse}, "OK dane", kSecure},
    {"some usable, MX unsigned", MxState::kInsecure, {kUse, kAbs}, "OK dane", kSecure},
    // RFC 7672 §2.2: STARTTLS is required, the certificate not looked at.
    {"all unusable", MxState::kSecure, {kUnus}, "OK dane", kSecure},
    {"unusable and absent", MxState::kSecure, {kUnus, kAbs}, "OK dane", kSecure},
    // RFC 7672 §2.1.2: never read as "no TLSA".
    {"failed and absent", MxState::kSecure, {kFail, kAbs}, "OK dane", kSecure},
    {"bogus and insecure", MxState::kInsecure, {kBog, kIns}, "OK dane", kSecure},
    {"all failed", MxState::kSecure, {kFail, kFail}, "TEMP", kSecure},
    {"all bogus", MxState::kSecure, {kBog}, "TEMP", kSecure},
    {"failed, the other without address", MxState::kSecure, {kFail, kNoAd}, "TEMP", kSecure},
    {"smart host, failed", MxState::kConfigured, {kFail}, "TEMP", kSecure},
    {"MX failed", MxState::kFailed, {}, "TEMP", kSecure},
    {"MX bogus", MxState::kBogus, {}, "TEMP", kSecure},
};

const std::optional<PolicyMode> kOtherModes[] = {std::nullopt, PolicyMode::kNone,
                                                 PolicyMode::kTesting};

TEST(Precedence, DaneThenMtaSts) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto dane = dane_of(row.mx, row.hosts);
    EXPECT_EQ(answer({sts(PolicyMode::kEnforce), dane, nullptr}, postfix::DaneAnswers::kOn),
              row.enforce);
    for (const auto mode : kOtherModes) {
      EXPECT_EQ(answer({sts(mode), dane, nullptr}, postfix::DaneAnswers::kOn), row.otherwise);
    }
  }
}

// postfix.dane = false: whatever DANE is, whatever DNS says about it.
TEST(Precedence, WithoutDaneAnswersMtaStsAloneDecides) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto dane = dane_of(row.mx, row.hosts);
    EXPECT_EQ(answer({sts(PolicyMode::kEnforce), dane, nullptr}, postfix::DaneAnswers::kOff),
              kSecure);
    for (const auto mode : kOtherModes) {
      EXPECT_EQ(answer({sts(mode), dane, nullptr}, postfix::DaneAnswers::kOff), "NOTFOUND ");
    }
  }
}

TEST(Precedence, OverrideGoesBeforeEverything) {
  const Override own = override_of(PolicyMode::kEnforce, {"own.example.org"});
  const Override enforce = override_of(PolicyMode::kEnforce);
  const Override testing = override_of(PolicyMode::kTesting);
  const Override none = override_of(PolicyMode::kNone);
  for (const Row& row : kRows) {
    for (const auto dialect : {postfix::DaneAnswers::kOn, postfix::DaneAnswers::kOff}) {
      SCOPED_TRACE(row.name);
      const auto dane = dane_of(row.mx, row.hosts);
      for (const auto mode :
           {std::optional<PolicyMode>(), std::optional(PolicyMode::kNone),
            std::optional(PolicyMode::kTesting), std::optional(PolicyMode::kEnforce)}) {
        EXPECT_EQ(answer({sts(mode), dane, &own}, dialect),
                  "OK secure match=own.example.org servername=hostname");
        EXPECT_EQ(answer({sts(mode), dane, &testing}, dialect), "NOTFOUND ");
        EXPECT_EQ(answer({sts(mode), dane, &none}, dialect), "NOTFOUND ");
        // The published patterns, or nobody knows which hosts are right.
        EXPECT_EQ(answer({sts(mode), dane, &enforce}, dialect),
                  mode.has_value() ? kSecure : "TEMP");
      }
    }
  }
}

// RFC 8461 §3.3: trouble on the MTA-STS side never defers, with DANE or without.
TEST(Precedence, MtaStsTroubleAloneNeverDefers) {
  for (const auto type : {std::optional<tlsrpt::ResultType>(),
                          std::optional(tlsrpt::ResultType::kStsWebpkiInvalid)}) {
    StsState state = sts(std::nullopt);
    state.trouble = PolicyTrouble{type, "made to fail", kNow, kNow + seconds(300)};
    for (const Row& row : kRows) {
      SCOPED_TRACE(row.name);
      const auto dane = dane_of(row.mx, row.hosts);
      EXPECT_EQ(answer({state, dane, nullptr}, postfix::DaneAnswers::kOn), row.otherwise);
      EXPECT_EQ(answer({state, dane, nullptr}, postfix::DaneAnswers::kOff), "NOTFOUND ");
    }
  }
}

// Every rule is reached by a row above, has its sentence, and waits with a reason.
TEST(Precedence, EveryRuleIsReachedAndSpeaks) {
  const auto domain = base::DomainName::parse("example.com").value();
  std::set<Rule> seen;
  const Override overrides[] = {override_of(PolicyMode::kEnforce, {"own.example.org"}),
                                override_of(PolicyMode::kEnforce),
                                override_of(PolicyMode::kTesting), override_of(PolicyMode::kNone)};
  for (const Row& row : kRows) {
    for (const auto mode :
         {std::optional<PolicyMode>(), std::optional(PolicyMode::kNone),
          std::optional(PolicyMode::kTesting), std::optional(PolicyMode::kEnforce)}) {
      for (int i = -1; i < 4; ++i) {
        const Evidence evidence{sts(mode), dane_of(row.mx, row.hosts),
                                i < 0 ? nullptr : &overrides[i]};
        const Verdict verdict = decide(domain, evidence, kNow);
        seen.insert(verdict.rule);
        EXPECT_FALSE(rule_sentence(verdict.rule).empty());
        EXPECT_EQ(level_of(verdict.rule) == Level::kTemp, !verdict.temp_reason.empty());
        EXPECT_EQ(verdict.valid_until, kNow + seconds(120));  // the least of both
        what_would_change(verdict);
      }
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kRuleCount));
}

TEST(Precedence, EndOfAnOverrideLimitsTheAnswer) {
  const auto domain = base::DomainName::parse("example.com").value();
  Override none = override_of(PolicyMode::kNone);
  none.until = kNow + seconds(10);
  EXPECT_EQ(decide(domain, {sts(std::nullopt), {}, &none}, kNow).valid_until, kNow + seconds(10));
  EXPECT_TRUE(none.holds_at(kNow + seconds(9)));
  EXPECT_FALSE(none.holds_at(kNow + seconds(10)));
}

// RFC 8460 §4.5: what was applied is what is reported.
TEST(Precedence, OverrideIsReportedAsApplied) {
  const auto domain = base::DomainName::parse("example.com").value();
  const Override own = override_of(PolicyMode::kEnforce, {"own.example.org"});
  const Verdict verdict = decide(domain, {sts(PolicyMode::kTesting), {}, &own}, kNow);
  EXPECT_EQ(verdict.policy, PolicyType::kSts);
  EXPECT_EQ(verdict.source, Source::kOverride);
  EXPECT_EQ(verdict.policy_lines,
            (std::vector<std::string>{"version: STSv1", "mode: enforce", "mx: own.example.org",
                                      "max_age: 604800"}));
}

TEST(TlsrptDialect, DaneLevelsEndWithABlank) {
  const auto domain = base::DomainName::parse("example.com").value();
  const postfix::PostfixFormat format(postfix::Attributes::kTlsrpt, postfix::DaneAnswers::kOn);
  std::string out;
  service::append_answer(
      format, decide(domain, {sts(std::nullopt), dane_of(MxState::kSecure, {kUse}), nullptr}, kNow),
      out);
  EXPECT_EQ(out, "OK dane-only ");  // PEERS 3.2, byte for byte
  out.clear();
  service::append_answer(
      format,
      decide(domain, {sts(std::nullopt), dane_of(MxState::kSecure, {kUse, kAbs}), nullptr}, kNow),
      out);
  EXPECT_EQ(out, "OK dane ");
}

// The finer truth, host by host: hosts with usable TLSA must pass DANE, the others MTA-STS.
TEST(MxDecisions, EachHostByItsOwnState) {
  struct Case {
    const char* name;
    MxState mx;
    HostState host;
    std::optional<PolicyMode> mode;
    const char* mx_host;
    bool is_allowed;
    Requirement want;
  };
  const auto enforce = std::optional(PolicyMode::kEnforce);
  const auto testing = std::optional(PolicyMode::kTesting);
  const std::optional<PolicyMode> nothing;
  const Case cases[] = {
      {"usable", MxState::kSecure, kUse, nothing, "mx1.example.com", true, Requirement::kDane},
      {"usable, enforce", MxState::kSecure, kUse, enforce, "x.example.org", true,
       Requirement::kDane},
      {"usable, MX unsigned", MxState::kInsecure, kUse, nothing, "mx1.example.com", true,
       Requirement::kDane},
      {"usable, MX unsigned, enforce, forged", MxState::kInsecure, kUse, enforce, "x.example.org",
       false, Requirement::kSts},
      {"usable, MX unsigned, enforce", MxState::kInsecure, kUse, enforce, "mx1.example.com", true,
       Requirement::kSts},
      {"unusable", MxState::kSecure, kUnus, nothing, "mx1.example.com", true,
       Requirement::kEncrypt},
      {"unusable, testing", MxState::kSecure, kUnus, testing, "x.example.org", true,
       Requirement::kEncrypt},
      {"unusable, enforce", MxState::kSecure, kUnus, enforce, "mx1.example.com", true,
       Requirement::kSts},
      {"unusable, enforce, forged", MxState::kSecure, kUnus, enforce, "x.example.org", false,
       Requirement::kSts},
      {"failed", MxState::kSecure, kFail, nothing, "mx1.example.com", false, Requirement::kDane},
      {"bogus, enforce", MxState::kSecure, kBog, enforce, "mx1.example.com", false,
       Requirement::kDane},
      {"absent", MxState::kSecure, kAbs, nothing, "mx1.example.com", true, Requirement::kNone},
      {"absent, enforce", MxState::kSecure, kAbs, enforce, "a.example.net", true,
       Requirement::kSts},
      {"absent, enforce, forged", MxState::kSecure, kAbs, enforce, "x.example.org", false,
       Requirement::kSts},
      {"insecure, testing, forged", MxState::kInsecure, kIns, testing, "x.example.org", true,
       Requirement::kNone},
      {"no address", MxState::kSecure, kNoAd, enforce, "mx1.example.com", false, Requirement::kSts},
  };
  const auto domain = base::DomainName::parse("example.com").value();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Verdict verdict = decide(domain, {sts(c.mode), dane_of(c.mx, {c.host}), nullptr}, kNow);
    const MxDecision got = decide_mx(verdict, c.mx_host, verdict.dane->hosts[0].dane.get());
    EXPECT_EQ(got.is_allowed, c.is_allowed);
    EXPECT_EQ(got.requirement, c.want) << requirement_name(got.requirement);
    EXPECT_FALSE(got.why.empty());
  }
}

TEST(MxDecisions, OverrideAloneDecides) {
  const auto domain = base::DomainName::parse("example.com").value();
  const Override own = override_of(PolicyMode::kEnforce, {"own.example.org"});
  const Override none = override_of(PolicyMode::kNone);
  const auto dane = dane_of(MxState::kSecure, {kFail});
  const Verdict with_own = decide(domain, {sts(PolicyMode::kEnforce), dane, &own}, kNow);
  EXPECT_FALSE(mx_list(with_own).hosts[0].decision.is_allowed);
  EXPECT_TRUE(decide_mx(with_own, "own.example.org", nullptr).is_allowed);
  const Verdict with_none = decide(domain, {sts(PolicyMode::kEnforce), dane, &none}, kNow);
  EXPECT_TRUE(mx_list(with_none).hosts[0].decision.is_allowed);
  EXPECT_EQ(mx_list(with_none).hosts[0].decision.requirement, Requirement::kNone);
}

// RFC 8461 §4.1; where DNSSEC has signed the MX RRset, DANE stands for its hosts. The policy names
// the first host alone.
TEST(HostsOutsidePolicy, ByStateAndMode) {
  struct Case {
    const char* name;
    MxState mx;
    HostState host;
    std::optional<PolicyMode> mode;
    bool is_outside;
  };
  const auto enforce = std::optional(PolicyMode::kEnforce);
  const auto testing = std::optional(PolicyMode::kTesting);
  const Case cases[] = {
      {"unsigned", MxState::kInsecure, kIns, enforce, true},
      {"unsigned, testing", MxState::kInsecure, kIns, testing, true},
      {"signed, without TLSA", MxState::kSecure, kAbs, enforce, true},
      {"TLSA that can't be used", MxState::kSecure, kUnus, testing, true},
      {"TLSA can't be had", MxState::kSecure, kFail, enforce, true},
      {"no address", MxState::kSecure, kNoAd, enforce, true},
      {"DANE", MxState::kSecure, kUse, enforce, false},
      {"DANE, testing", MxState::kSecure, kUse, testing, false},
      {"forged, with TLSA", MxState::kInsecure, kUse, enforce, true},
      {"forged, with TLSA, testing", MxState::kInsecure, kUse, testing, true},
      {"mode none", MxState::kInsecure, kIns, PolicyMode::kNone, false},
      {"no policy", MxState::kInsecure, kIns, std::nullopt, false},
      {"named by the site", MxState::kConfigured, kIns, enforce, false},
  };
  const auto domain = base::DomainName::parse("example.com").value();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto dane = dane_of(c.mx, {c.host, c.host});
    const Verdict verdict = decide(domain, {sts(c.mode), dane, nullptr}, kNow);
    const std::vector<std::string> want = {"mx2.example.com"};
    EXPECT_EQ(hosts_outside_policy(verdict), c.is_outside ? want : std::vector<std::string>{});
    const Override set = override_of(PolicyMode::kTesting);
    const Verdict overridden = decide(domain, {sts(c.mode), dane, &set}, kNow);
    EXPECT_TRUE(hosts_outside_policy(overridden).empty());
  }
}

}  // namespace
}  // namespace strictmx::verdict
